/**
 * One annotated tag for a release in each of its repositories. Everything that could refuse is asked of all of them before the
 * first is tagged; a tag that is there and right is left, so a command that died between two repositories is run again.
 */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import type { StoredRelease } from "./document.ts";
import type { GitWorkspace } from "./git-workspace.ts";
import { isOnTrunk, type Trunk } from "./trunk.ts";

export interface TaggedRepository {
  readonly name: string;
  readonly commit: string;
  /** The tag was there already. */
  readonly known: boolean;
}

export interface TagOptions extends StoredRelease {
  readonly trunks: readonly Trunk[];
  /** Why a commit is not green; undefined when it is. */
  readonly refusal: (trunk: Trunk, commit: string) => Promise<string | undefined>;
  /** Tags without git; undefined where git does it. */
  readonly tagElsewhere: (
    trunk: Trunk,
    tag: { tag: string; commit: string; message: string },
  ) => Promise<boolean> | undefined;
  readonly dryRun: boolean;
}

/** Throws TAG_REFUSED. */
export async function tagRelease(workspace: GitWorkspace, options: TagOptions): Promise<readonly TaggedRepository[]> {
  const { trunks, document, dryRun } = options;
  const checked: TaggedRepository[] = [];
  const refusals: string[] = [];
  for (const trunk of trunks) {
    const { name } = trunk.repository;
    const { commit } = document.repositories[name]!;
    const found = await tagAt(workspace, trunk, document.version);
    const refusal = await whyNot(workspace, { ...options, trunk, commit, found });
    if (refusal !== undefined) refusals.push(`${name}: ${refusal}`);
    checked.push({ name, commit, known: found !== undefined });
  }
  if (refusals.length > 0)
    throw new BootwrightError("TAG_REFUSED", `${document.version} is not tagged. ${refusals[0]}`, {
      ...(refusals.length > 1 && { detail: refusals.slice(1).join("\n") }),
      hint: "no repository was tagged; bootwright release show says which commits the release has",
    });
  if (!dryRun)
    for (const [i, { known, commit }] of checked.entries())
      if (!known) await tag(workspace, { ...options, trunk: trunks[i]!, commit });
  return checked;
}

export interface FoundTag {
  /** Of the tag itself. */
  readonly object: string;
  /** What an annotated tag leads to; undefined for a lightweight one. */
  readonly commit: string | undefined;
}

/** Undefined when the repository has no such tag. */
export async function tagAt(
  workspace: GitWorkspace,
  { repository }: Pick<Trunk, "repository">,
  version: string,
): Promise<FoundTag | undefined> {
  const ref = `refs/tags/${version}`;
  const { stdout } = await workspace.git(["ls-remote", repository.address, ref, `${ref}^{}`]);
  const lines = stdout.toString("utf8").split("\n");
  const found = new Map(lines.map((line) => line.split("\t").reverse() as [string, string]));
  const object = found.get(ref);
  return object === undefined ? undefined : { object, commit: found.get(`${ref}^{}`) };
}

/** What is wrong with a tag that is there; undefined when it is the release's. */
export function wrongTag(
  found: FoundTag,
  { version, commit }: { version: string; commit: string },
): string | undefined {
  if (found.commit === undefined && found.object === commit)
    return `its tag ${version} is a lightweight one: the release's is annotated, and says whose it is`;
  const at = found.commit ?? found.object;
  return at === commit
    ? undefined
    : `its tag ${version} is at ${at.slice(0, 12)}, the release has ${commit.slice(0, 12)}`;
}

async function whyNot(
  workspace: GitWorkspace,
  options: TagOptions & { trunk: Trunk; commit: string; found: FoundTag | undefined },
): Promise<string | undefined> {
  const { trunk, commit, document, found, refusal } = options;
  const { address, trunk: branch } = trunk.repository;
  if (found !== undefined) return wrongTag(found, { version: document.version, commit });
  if (fs.existsSync(path.join(address, ".git"))) {
    const changes = await workspace.text(["-C", address, "status", "--porcelain"]);
    if (changes !== "") return `its working tree has changes that are not committed: ${changes.split("\n")[0]!.trim()}`;
  }
  if (!(await isOnTrunk(workspace, trunk, commit))) return `commit ${commit.slice(0, 12)} is not on ${branch}`;
  const red = await refusal(trunk, commit);
  return red === undefined ? undefined : `commit ${commit.slice(0, 12)} is not green: ${red}`;
}

async function tag(
  workspace: GitWorkspace,
  { trunk, commit, document, digest, tagElsewhere }: TagOptions & { trunk: Trunk; commit: string },
): Promise<void> {
  const { version, platform, who, created } = document;
  const { address, name } = trunk.repository;
  const message = `${platform} ${version}\n\nrelease sha256:${digest}\n`;
  const made =
    (await tagElsewhere(trunk, { tag: version, commit, message })) ??
    (await workspace.pushRef(address, {
      ...{ ref: `refs/tags/${version}`, from: "" },
      // Nothing but the release is in it: whoever makes it makes the same object.
      to: await tagObject(workspace, {
        commit,
        version,
        message,
        tagger: `${who} <> ${Date.parse(created) / 1000} +0000`,
      }),
    }));
  if (made) return;
  const found = await tagAt(workspace, trunk, version);
  const wrong = found === undefined ? "its tag came and went" : wrongTag(found, { version, commit });
  if (wrong !== undefined) throw new BootwrightError("TAG_REFUSED", `${name}: ${wrong}`);
}

async function tagObject(
  workspace: GitWorkspace,
  { commit, version, message, tagger }: { commit: string; version: string; message: string; tagger: string },
): Promise<string> {
  const stdin = `object ${commit}\ntype commit\ntag ${version}\ntagger ${tagger}\n\n${message}`;
  return (await workspace.git(["hash-object", "-t", "tag", "-w", "--stdin"], { stdin })).stdout.toString("utf8").trim();
}
