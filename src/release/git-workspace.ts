/**
 * A bare repository of our own, for as long as a command runs, through which others' repositories are read and pushed to. The
 * user's git configuration counts for reaching them (credentials, proxies, ssh), and never asks questions.
 */
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { ensureDir, removeTree } from "../base/fs.ts";
import { inheritedEnvironment, type RunResult, run } from "../base/process.ts";

export interface GitChannels {
  readonly signal: AbortSignal;
  readonly emit: Emit;
}

export class GitWorkspace implements Disposable {
  readonly dir: string;
  readonly #channels: GitChannels;

  private constructor(dir: string, channels: GitChannels) {
    this.dir = dir;
    this.#channels = channels;
  }

  /** `dir` is made for this and removed. Throws HOST_TOOL_MISSING. */
  static async open(dir: string, channels: GitChannels): Promise<GitWorkspace> {
    ensureDir(dir);
    const workspace = new GitWorkspace(dir, channels);
    await workspace.git(["init", "--quiet", "--bare"]);
    return workspace;
  }

  /** Throws PROGRAM_FAILED with what git says. */
  git(
    args: readonly string[],
    options: { readonly stdin?: string | Uint8Array; readonly accept?: readonly number[] } = {},
  ): Promise<RunResult> {
    return run(["git", "-C", this.dir, ...SETTINGS, ...args], {
      ...this.#channels,
      ...options,
      env: gitEnvironment(),
      timeout: 3_600_000,
    });
  }

  async text(args: readonly string[]): Promise<string> {
    return (await this.git(args)).stdout.toString("utf8").trimEnd();
  }

  /** What a ref of another repository points to; undefined when it is not there. */
  async remoteRef(address: string, ref: string): Promise<string | undefined> {
    checkAddress(address);
    const { stdout } = await this.git(["ls-remote", address, ref]);
    const lines = stdout.toString("utf8").split("\n");
    return lines.map((line) => line.split("\t")).find(([, name]) => name === ref)?.[0];
  }

  /** Moves a ref of another repository if it is still at `from` ("" for not there); false when it is not. */
  async pushRef(address: string, { ref, from, to }: { ref: string; from: string; to: string }): Promise<boolean> {
    checkAddress(address);
    try {
      await this.git(["push", "--quiet", `--force-with-lease=${ref}:${from}`, address, `${to}:${ref}`]);
      return true;
    } catch (error) {
      // git's exit code does not tell a lost race from a refusal: the ref does.
      if ((await this.remoteRef(address, ref)) !== (from === "" ? undefined : from)) return false;
      throw error;
    }
  }

  [Symbol.dispose](): void {
    removeTree(this.dir);
  }
}

/** Throws USAGE for what git would take as an option: some of its options run programs. */
export function checkAddress(address: string): void {
  if (!address.startsWith("-") && !address.startsWith("ext::")) return;
  throw new BootwrightError("USAGE", `${address} is not the address of a git repository`);
}

/** A repository on this host is one like any other: the user's config names it. */
const SETTINGS = ["protocol.file.allow=always", "core.hooksPath=/dev/null", "gc.auto=0"].flatMap((it) => ["-c", it]);

/** Within a hook, or a command that git runs, these would lead to the repository outside. */
export function gitEnvironment(): Record<string, string> {
  const {
    GIT_DIR: _d,
    GIT_WORK_TREE: _w,
    GIT_INDEX_FILE: _i,
    GIT_OBJECT_DIRECTORY: _o,
    ...env
  } = inheritedEnvironment();
  return { ...env, GIT_TERMINAL_PROMPT: "0", GIT_ASKPASS: "true", GCM_INTERACTIVE: "never" };
}
