/**
 * From what runs in an environment back to its sources: the record, its copy in git, the pointer, its approvals, the release, and of
 * each artifact its bytes, who signed it, how it was made and what it consists of. What lies on this machine needs no network.
 */
import { EXIT } from "../base/error-codes.ts";
import { isBootwrightError } from "../base/errors.ts";
import { shownUrl } from "../base/http.ts";
import { type ReleaseArtifact, type ReleaseDocument, readRelease } from "../release/document.ts";
import { examineCopy } from "../release/git-record.ts";
import { type Pointer, pointerOf } from "../release/pointer.ts";
import { examineRecord, type OpenedRecord, type RecordSource } from "../release/read-record.ts";
import { broken, holds, type Link, unchecked } from "../verify/link.ts";
import type { EnvironmentPolicy } from "../verify/policy.ts";
import { gitCopy, needNetwork, openPlatform, withGit } from "./platform.ts";
import { openProject, type Project } from "./project.ts";
import { chooseSource, findArtifact, sourceRecord } from "./release-sources.ts";
import type { Report, Session } from "./session.ts";
import { alignColumns } from "./text-table.ts";
import { type ArtifactPolicies, artifactLinks, looked, type PassedOver } from "./verify-released.ts";

export const ENVIRONMENT_REF = /^env:([^/]+)(?:\/(.+))?$/;

interface Asked extends ArtifactPolicies {
  /** "env:NAME" or "env:NAME/ARTIFACT". */
  readonly ref: string;
  /** Of `sources.releases`; default the project's own platform, or the only source. */
  readonly from: string | undefined;
}

interface Chain {
  readonly links: readonly Link[];
  readonly release?: string;
  readonly digest?: string;
  readonly passedOver?: readonly PassedOver[];
}

/** Throws what reaching a place throws; what is there and wrong is in the report. */
export async function verifyEnvironment(session: Session, asked: Asked): Promise<Report> {
  const [, name = "", only] = ENVIRONMENT_REF.exec(asked.ref) ?? [];
  await using project = await openProject(session);
  const chain = await followChain(project, { ...asked, name, only });
  const { links, release = null, digest = null, passedOver = [] } = chain;
  const failed = links.filter(({ state }) => state === "broken").length;
  const rows = links.map(({ link, where, state, says, code }) => [
    ...[SIGNS[state], link, where, code === null ? says : `${code}: ${says}`],
  ]);
  return {
    data: {
      ...{ ref: asked.ref, environment: name, release, digest, holds: failed === 0 },
      links: links.map((one) => ({ ...one })),
      passedOver: passedOver.map((one) => ({ ...one })),
    },
    text: [
      alignColumns(rows),
      ...passedOver.map(({ where, code, message }) => `${where} does not count: ${message} (${code})`),
    ].join("\n"),
    summary:
      failed === 0
        ? `${asked.ref} holds`
        : `${asked.ref} does not hold: ${failed} of ${links.length} links ${failed === 1 ? "is" : "are"} broken`,
    exit: failed === 0 ? EXIT.ok : EXIT.verification,
  };
}

const SIGNS: Readonly<Record<Link["state"], string>> = { holds: "✓", broken: "✗", unchecked: "-" };

interface Wanted extends Asked {
  /** Of the environment. */
  readonly name: string;
  /** Default all. */
  readonly only: string | undefined;
}

/** A link that later ones hang on ends the way: nothing behind it would mean anything. */
async function followChain(project: Project, wanted: Wanted): Promise<Chain> {
  const { environment: policy, name } = wanted;
  const source = chooseSource(project, wanted.from);
  const platform = source === undefined ? await openPlatform(project, { writes: false }) : undefined;
  const configured = platform?.target ?? (await sourceRecord(project, source!));
  // The policy's own keys count, not the config's. Approvals are looked at by themselves.
  const record: RecordSource = { ...configured, keys: { record: policy.keys, approvers: {} } };
  const opened = await examineRecord(record, 0);
  const links: Link[] = [recordLink(opened, record.place.address)];
  if (platform !== undefined) links.push(...(await gitLink(project, { platform, opened, record })));
  const last = opened.chain.entries.at(-1);
  if (opened.findings.length > 0 || last === undefined) return { links };
  record.seen.remember(last);
  const pointer = pointerOf(opened.chain, { environment: name, approvers: policy.approvers });
  if (pointer === undefined)
    return { links: [...links, broken({ link: "pointer", where: name }, "nothing-runs", "nothing runs there")] };
  const { entry } = pointer;
  const { release: version, releaseDigest: digest } = entry;
  links.push(
    holds({ link: "pointer", where: name }, `${version} since ${entry.time}, entry ${entry.serial}`),
    approvalsLink(pointer, policy),
  );
  const passedOver: PassedOver[] = pointer.passedOver.map(({ serial, message }) => ({
    ...{ where: `entry ${serial}`, code: "SIGNATURE_INVALID", message },
  }));
  const about = { link: "release", where: version } as const;
  const read = await looked(() => readRelease(record.place, { version, digest, signal: record.signal }));
  if ("error" in read) {
    links.push(broken(about, "release", read.error.message));
    return { links, release: version, digest, passedOver };
  }
  const { document } = read.value;
  links.push(holds(about, `sha256:${digest.slice(0, 12)}, ${document.artifacts.length} artifacts`));
  for (const artifact of chosen(project, { document, digest, name: wanted.only })) {
    const found = await artifactLinks(project, { ...wanted, document, artifact });
    links.push(...found.links);
    passedOver.push(...found.passedOver);
  }
  return { links, release: version, digest, passedOver };
}

function chosen(
  { config }: Project,
  { document, digest, name }: { document: ReleaseDocument; digest: string; name: string | undefined },
): readonly ReleaseArtifact[] {
  return name === undefined ? document.artifacts : [findArtifact({ document, digest }, { name, arch: config.arch })];
}

function recordLink({ chain, findings }: Awaited<ReturnType<typeof examineRecord>>, address: string): Link {
  const about = { link: "record", where: shownUrl(address) } as const;
  const [first, ...others] = findings;
  if (first !== undefined)
    return broken(about, first.kind, [first, ...others].map(({ message }) => message).join("; "));
  const count = chain.entries.length;
  return count === 0
    ? broken(about, "truncated", "there are no entries")
    : holds(about, `${count} entries, each signed and following from the one before`);
}

async function gitLink(
  project: Project,
  {
    platform,
    opened,
    record,
  }: { platform: Awaited<ReturnType<typeof openPlatform>>; opened: OpenedRecord; record: RecordSource },
): Promise<readonly Link[]> {
  const copy = gitCopy(platform);
  if (copy === undefined) return [];
  const about = { link: "git", where: copy.shown } as const;
  try {
    needNetwork(project.session, [{ name: "git", trunk: "", shown: copy.shown, address: copy.address }]);
  } catch (error) {
    if (!isBootwrightError(error)) throw error;
    return [unchecked(about, "not asked: --offline")];
  }
  const there = await withGit(platform, (workspace) =>
    examineCopy(workspace, opened.chain, { ...copy, keys: record.keys }),
  );
  const [finding] = there.findings;
  const [ours, theirs] = [opened.chain.files.length, there.chain.files.length];
  if (finding !== undefined) return [broken(about, finding.kind, finding.message)];
  if (theirs > ours) return [broken(about, "truncated", `git has entry ${theirs}, the record ends with entry ${ours}`)];
  return [holds(about, theirs === ours ? "the same entries" : `the same entries, up to ${theirs} of ${ours}`)];
}

function approvalsLink({ approvers }: Pointer, { approvals }: EnvironmentPolicy): Link {
  const says = `${approvers.length} of ${approvals}${approvers.length === 0 ? "" : `: ${approvers.join(", ")}`}`;
  const about = { link: "approvals", where: "" } as const;
  return approvers.length >= approvals ? holds(about, says) : broken(about, "approvals", says);
}
