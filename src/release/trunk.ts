/** The trunk of one repository: its history is read, its trees and files stay where they are. */
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { Note } from "./document.ts";
import { checkAddress, type GitWorkspace } from "./git-workspace.ts";
import { noteOf } from "./notes.ts";

export interface RepositoryPlace {
  readonly name: string;
  /** What git is asked for. */
  readonly address: string;
  /** As the config has it. */
  readonly shown: string;
  readonly trunk: string;
}

export interface Trunk {
  readonly repository: RepositoryPlace;
  /** Where the workspace has it. */
  readonly ref: string;
  readonly head: string;
}

/** Throws NAME_UNKNOWN when the repository has no such branch, PROGRAM_FAILED. */
export async function fetchTrunk(workspace: GitWorkspace, repository: RepositoryPlace): Promise<Trunk> {
  const { name, address, trunk, shown } = repository;
  checkAddress(address);
  const branch = `refs/heads/${trunk}`;
  if ((await workspace.remoteRef(address, branch)) === undefined)
    throw new BootwrightError("NAME_UNKNOWN", `${name} (${shown}) has no branch ${trunk}`, {
      hint: `platform.repositories.${name}.trunk says which branch releases are made of`,
    });
  const ref = `refs/trunks/${name}`;
  await workspace.git(["config", `remote.${name}.url`, address]);
  // Commits only, where the server can: trees and files say nothing about history.
  await workspace.git(["fetch", "--quiet", "--no-tags", "--filter=tree:0", name, `+${branch}:${ref}`]);
  return { repository, ref, head: await workspace.text(["rev-parse", "--verify", `${ref}^{commit}`]) };
}

export async function isOnTrunk(workspace: GitWorkspace, { ref }: Trunk, commit: string): Promise<boolean> {
  try {
    return (await workspace.git(["merge-base", "--is-ancestor", commit, ref], { accept: [0, 1] })).exit === 0;
  } catch (error) {
    if (hasCode(error, "PROGRAM_FAILED")) return false; // The history has no such commit at all.
    throw error;
  }
}

/** A first release would list all that ever was. */
const MOST_NOTES = 200;

/** What the commits up to `commit` say that `since` does not have; merges say nothing. The newest first. */
export async function notesBetween(
  workspace: GitWorkspace,
  trunk: Trunk,
  { since, commit }: { since: string | undefined; commit: string },
): Promise<readonly Note[]> {
  const known = since !== undefined && (await isOnTrunk(workspace, trunk, since));
  const range = known ? [commit, `^${since}`] : [commit];
  const { stdout } = await workspace.git([
    ...["log", "--no-merges", "--no-show-signature", `--max-count=${MOST_NOTES}`, "--format=%H%x00%B%x00"],
    ...[...range, "--"],
  ]);
  const parts = stdout.toString("utf8").split("\0");
  const notes: Note[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2)
    notes.push(noteOf({ commit: parts[i]!.trim(), message: parts[i + 1]!.trim() }));
  return notes;
}
