/** Moves releases between environments: what changes is the record, never an artifact. */
import path from "node:path";
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { minisignKeyOf } from "../formats/minisign.ts";
import { type Changed, changeRecord, type RecordTarget } from "../release/change-record.ts";
import { readRelease } from "../release/document.ts";
import { describeAction } from "../release/entry.ts";
import {
  approve as approveRelease,
  type Draft,
  findRelease,
  promote as promoteRelease,
  rollback as rollBack,
} from "../release/promotion.ts";
import type { RecordState } from "../release/record-state.ts";
import { loadSecretKey } from "../sign/key-files.ts";
import { isoNow } from "./catalogs.ts";
import { type Platform, withPlatform } from "./platform.ts";
import type { Report, Session } from "./session.ts";

export function promote(
  session: Session,
  { environment, release, dryRun }: { environment: string; release: string; dryRun: boolean },
): Promise<Report> {
  return withPlatform(session, { writes: !dryRun }, async ({ target, project, who }) => {
    const { environments } = project.config;
    const decide = (state: RecordState) => promoteRelease(state, { environments, environment, release, who });
    return change(target, { decide, dryRun, already: `${release} runs in ${environment} already` });
  });
}

export function rollback(
  session: Session,
  { environment, dryRun }: { environment: string; dryRun: boolean },
): Promise<Report> {
  return withPlatform(session, { writes: !dryRun }, async ({ target, project, who }) => {
    const { environments } = project.config;
    const decide = (state: RecordState) => rollBack(state, { environments, environment, who });
    return change(target, { decide, dryRun, already: "" });
  });
}

/** `key`: the approver's own, as the path of its files without endings, or of its secret. */
export function approve(
  session: Session,
  { environment, release, key, dryRun }: { environment: string; release: string; key: string; dryRun: boolean },
): Promise<Report> {
  return withPlatform(session, { writes: false }, async (platform) => {
    const { target, project } = platform;
    const { environments } = project.config;
    const secret = loadSecretKey({ file: key.replace(/\.key$/, "") }, session.cwd);
    if (secret.asymmetricKeyType !== "ed25519")
      throw new BootwrightError("UNSUPPORTED", `${key} is of type ${secret.asymmetricKeyType}`, {
        hint: "approvals are signed with ed25519 keys",
      });
    const who = approverWith(platform, minisignKeyOf(secret).key, path.basename(key));
    const decide = (state: RecordState) => approveRelease(state, { environments, environment, release, who });
    // What is approved must be what its digest says, before a name stands for it.
    await checkDocument(platform, release);
    return change(
      { ...target, secret },
      { decide, dryRun, already: `${who} has approved ${release} for ${environment} already` },
    );
  });
}

async function checkDocument({ target }: Platform, release: string): Promise<void> {
  const { readRecord } = await import("../release/read-record.ts");
  const known = findRelease((await readRecord(target)).state, release);
  await readRelease(target.place, { version: release, digest: known.digest, signal: target.signal });
}

function approverWith({ target }: Platform, key: Uint8Array, label: string): string {
  const { approvers } = target.keys;
  const found = Object.keys(approvers).find((name) => Buffer.from(approvers[name]!.key).equals(key));
  if (found !== undefined) return found;
  throw new BootwrightError("SIGNATURE_INVALID", `${label} is the key of no approver of this platform`, {
    hint: `platform.approvers has ${Object.keys(approvers).join(", ") || "nobody"}`,
  });
}

async function change(
  target: RecordTarget,
  { decide, dryRun, already }: { decide: (state: RecordState) => Draft | undefined; dryRun: boolean; already: string },
): Promise<Report> {
  const { entry, would } = await changeRecord(target, { decide, now: isoNow, dryRun });
  if (would === undefined) return { data: { change: null, dryRun }, text: already };
  const { action, environment, release, releaseDigest, who } = would;
  const made: Pick<NonNullable<Changed["entry"]>, "serial" | "time"> | undefined = entry;
  return {
    data: {
      change: {
        ...{ action, environment, release, digest: releaseDigest, who },
        ...{ serial: made?.serial ?? null, time: made?.time ?? null },
      },
      dryRun,
    },
    text: `${dryRun ? "would " : ""}${describeAction({ ...would, serial: 0, previous: "", time: "" })} (sha256:${releaseDigest.slice(0, 12)})`,
    exit: dryRun ? EXIT.different : EXIT.ok,
  };
}
