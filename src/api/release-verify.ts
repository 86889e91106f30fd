/** Checks all that a platform has on record: the chain in its place and in git, the documents, and the tags. */
import { EXIT } from "../base/error-codes.ts";
import { isBootwrightError } from "../base/errors.ts";
import type { Finding } from "../release/chain.ts";
import { readRelease, releasePath } from "../release/document.ts";
import { examineCopy } from "../release/git-record.ts";
import { examineRecord, type OpenedRecord } from "../release/read-record.ts";
import { tagAt, wrongTag } from "../release/tags.ts";
import { gitCopy, needNetwork, type Platform, withGit, withPlatform } from "./platform.ts";
import type { Report, Session } from "./session.ts";

type ReleaseFinding = Omit<Finding, "kind"> & { readonly kind: Finding["kind"] | "release" | "tag" };

export function releaseVerify(session: Session): Promise<Report> {
  return withPlatform(session, { writes: false }, async (platform) => {
    const { target, repositories } = platform;
    needNetwork(session, repositories);
    let record = await examineRecord(target, 0);
    const findings: ReleaseFinding[] = [];
    const copy = gitCopy(platform);
    const git = copy && (await withGit(platform, (workspace) => examineCopy(workspace, record.chain, copy)));
    const there = git?.chain.files.length ?? 0;
    if (there > record.chain.files.length) record = await examineRecord(target, there);
    findings.push(...record.findings, ...(git?.findings ?? []));
    findings.push(...(await wrongDocuments(platform, record)), ...(await wrongTags(platform, record)));
    const { serial } = record.state;
    const behind = git !== undefined && there < serial && findings.length === 0;
    return {
      data: {
        valid: findings.length === 0,
        serial,
        head: record.chain.entries.at(-1)?.digest ?? null,
        git: git === undefined ? null : { serial: there },
        releases: record.state.releases.size,
        findings: findings.map((one) => ({ ...one })),
      },
      text:
        findings.length === 0
          ? `${serial} entries and ${record.state.releases.size} releases are what they were`
          : findings.map(({ kind, message }) => `${kind}: ${message}`).join("\n"),
      summary: behind ? `git lacks entry ${serial}: a command died; the next one puts it there` : "",
      exit: findings.length === 0 ? EXIT.ok : EXIT.verification,
    };
  });
}

async function wrongDocuments({ target }: Platform, { state }: OpenedRecord): Promise<readonly ReleaseFinding[]> {
  const findings: ReleaseFinding[] = [];
  for (const { version, digest } of state.releases.values()) {
    const where = `${target.place.address}/${releasePath(version)}`;
    try {
      await readRelease(target.place, { version, digest, signal: target.signal });
    } catch (error) {
      if (!isBootwrightError(error) || !WRONG.includes(error.code)) throw error;
      findings.push({ kind: "release", where, serial: 0, message: error.message });
    }
  }
  return findings;
}

const WRONG: readonly string[] = ["DIGEST_MISMATCH", "RECORD_BROKEN", "FORMAT_INVALID"];

/** A release need not be tagged; a tag that is there is the release's. */
async function wrongTags(platform: Platform, { state }: OpenedRecord): Promise<readonly ReleaseFinding[]> {
  const { target, repositories } = platform;
  const findings: ReleaseFinding[] = [];
  await withGit(platform, async (workspace) => {
    for (const { version, digest } of state.releases.values()) {
      let released: Readonly<Record<string, { readonly commit: string }>>;
      try {
        released = (await readRelease(target.place, { version, digest, signal: target.signal })).document.repositories;
      } catch {
        continue; // Told above.
      }
      for (const repository of repositories) {
        const commit = released[repository.name]?.commit;
        const found = commit === undefined ? undefined : await tagAt(workspace, { repository }, version);
        const wrong = found && wrongTag(found, { version, commit: commit! });
        if (wrong !== undefined)
          findings.push({ kind: "tag", where: repository.shown, serial: 0, message: `${repository.name}: ${wrong}` });
      }
    }
  });
  return findings;
}
