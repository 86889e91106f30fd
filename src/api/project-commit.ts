/** The commit that a project is built from: what a release says of its repository, a statement says of what was made there. */
import fs from "node:fs";
import path from "node:path";
import { run } from "../base/process.ts";
import { gitEnvironment } from "../release/git-workspace.ts";
import type { Project } from "./project.ts";

/**
 * Of the checkout around the project's directory; undefined when there is none, when a file that git knows was changed, and when
 * git does not trust the checkout. Throws HOST_TOOL_MISSING.
 */
export async function projectCommit({ config, session }: Project): Promise<string | undefined> {
  if (!isCheckout(config.dir)) return undefined;
  const { signal, emit } = session;
  const git = (...args: string[]) =>
    run(["git", "-C", config.dir, ...args], { signal, emit, env: gitEnvironment(), accept: [0, 128] });
  const head = await git("rev-parse", "--verify", "--quiet", "HEAD^{commit}");
  const changed = await git("status", "--porcelain", "--untracked-files=no");
  if (head.exit !== 0 || changed.exit !== 0 || changed.stdout.length > 0) return undefined;
  return head.stdout.toString("utf8").trim();
}

function isCheckout(dir: string): boolean {
  const parent = path.dirname(dir);
  return fs.existsSync(path.join(dir, ".git")) || (parent !== dir && isCheckout(parent));
}
