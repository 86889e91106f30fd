/** A record in a directory, for tests: with a key, an approver, and whoever else writes to it. */
import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { directoryPlace } from "../base/directory-place.ts";
import { minisignKeyOf } from "../formats/minisign.ts";
import { changeRecord, type RecordTarget } from "./change-record.ts";
import type { Draft } from "./promotion.ts";
import { SeenRecord } from "./seen-record.ts";

export const DIGEST = "d".repeat(64);
export const now = (): string => "2026-01-02T03:04:05Z";

export interface RecordDirectory {
  readonly dir: string;
  readonly target: RecordTarget;
  readonly file: (name: string) => string;
  /** Of somebody who has never seen the record. */
  readonly stranger: () => RecordTarget;
  readonly add: (draft: Partial<Draft> & Pick<Draft, "action">) => ReturnType<typeof changeRecord>;
}

export function recordDirectory({ signed = true } = {}): RecordDirectory {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "bootwright-record-"));
  onTestFinished(() => fs.rmSync(dir, { recursive: true, force: true }));
  const [record, approver] = [generateKeyPairSync("ed25519"), generateKeyPairSync("ed25519")];
  let users = 0;
  const user = (): RecordTarget => ({
    place: directoryPlace(path.join(dir, "place")),
    keys: {
      record: signed ? [{ key: minisignKeyOf(record.privateKey), until: undefined }] : [],
      approvers: { one: minisignKeyOf(approver.privateKey) },
    },
    seen: new SeenRecord(path.join(dir, `user-${users++}`), "here"),
    signal: new AbortController().signal,
    secret: signed ? record.privateKey : undefined,
  });
  const target = user();
  return {
    ...{ dir, target, stranger: user },
    file: (name) => path.join(dir, "place", name),
    add: (draft) =>
      changeRecord(draft.action === "approve" ? { ...target, secret: approver.privateKey } : target, {
        decide: () => ({ environment: "test", release: "v0.1.0", releaseDigest: DIGEST, who: "somebody", ...draft }),
        ...{ now, dryRun: false },
      }),
  };
}

/** v0.1.0 is released, promoted, and approved by "one". */
export async function threeEntries(options?: { signed?: boolean }): Promise<RecordDirectory> {
  const record = recordDirectory(options);
  await record.add({ action: "release", environment: "" });
  await record.add({ action: "promote" });
  await record.add({ action: "approve", who: "one", environment: "prod" });
  return record;
}
