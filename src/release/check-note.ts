/** A git note that says that a commit passed its checks: what plain git has in place of a forge's check runs. */
import { BootwrightError } from "../base/errors.ts";
import type { GitWorkspace } from "./git-workspace.ts";
import type { Trunk } from "./trunk.ts";

/** Unless the config names another. */
export const CHECK_NOTES = "refs/notes/bootwright-check";
const PASSED = "passed";
const ATTEMPTS = 10;

/** Why a commit is not green; undefined when it is. */
export async function noteRefusal(
  workspace: GitWorkspace,
  trunk: Trunk,
  { ref, commit }: { ref: string; commit: string },
): Promise<string | undefined> {
  if ((await fetchNotes(workspace, trunk, ref)) === "") return `${ref} is not there: nothing was checked yet`;
  const { exit, stdout } = await workspace.git(["notes", `--ref=${localRef(trunk)}`, "show", commit], {
    accept: [0, 1],
  });
  if (exit !== 0) return `${ref} has no note of it`;
  const text = stdout.toString("utf8").trim();
  return text === PASSED ? undefined : `its note says "${text.slice(0, 100)}", not "${PASSED}"`;
}

/** False when it said so already. */
export async function writePassed(
  workspace: GitWorkspace,
  trunk: Trunk,
  { ref, commit }: { ref: string; commit: string },
): Promise<boolean> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    if ((await noteRefusal(workspace, trunk, { ref, commit })) === undefined) return false;
    const from = (await workspace.remoteRef(trunk.repository.address, ref)) ?? "";
    const local = localRef(trunk);
    await workspace.git([...AUTHOR, "notes", `--ref=${local}`, "add", "--force", "-m", PASSED, commit]);
    const to = await workspace.text(["rev-parse", local]);
    if (await workspace.pushRef(trunk.repository.address, { ref, from, to })) return true;
  }
  throw new BootwrightError("STORE_LOCKED", `${trunk.repository.shown}: others write ${ref} all the time`, {
    hint: "try again",
  });
}

const AUTHOR = ["-c", "user.name=bootwright", "-c", "user.email=bootwright@localhost"];

const localRef = ({ repository }: Trunk): string => `refs/notes/${repository.name}`;

/** Where they are; "" when there are none. */
async function fetchNotes(workspace: GitWorkspace, trunk: Trunk, ref: string): Promise<string> {
  const found = (await workspace.remoteRef(trunk.repository.address, ref)) ?? "";
  const local = localRef(trunk);
  if (found === "") await workspace.git(["update-ref", "-d", local]);
  else
    await workspace.git([
      ...["fetch", "--quiet", "--no-tags", "--no-filter", trunk.repository.name, `+${ref}:${local}`],
    ]);
  return found;
}
