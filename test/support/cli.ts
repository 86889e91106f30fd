/** The program as a user runs it: a child process, its two streams and its exit code. */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";
import { sharedStore } from "./test-session.ts";

export const PROGRAM = path.join(import.meta.dirname, "../../bin/bootwright.js");

export interface CliOptions {
  readonly cwd: string;
  /** Default: the store of this run. */
  readonly store?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Words before the program's own: `unshare …`, `sh -c …`. */
  readonly wrapper?: readonly string[];
  readonly program?: string;
  /** Starts the program as the leader of a process group of its own. */
  readonly group?: boolean;
}

export interface CliResult {
  /** Null when a signal ended it. */
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(args, options).result;
}

export function startCli(
  args: readonly string[],
  options: CliOptions,
): { readonly child: ChildProcess; readonly result: Promise<CliResult> } {
  const { cwd, store = sharedStore(), env = {}, wrapper = [], program = PROGRAM, group = false } = options;
  const [command, ...rest] = [...wrapper, process.execPath, program, ...args];
  const child = spawn(command!, rest, {
    cwd,
    detached: group,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...userEnvironment(), BOOTWRIGHT_STORE: store, BOOTWRIGHT_DATA: path.join(store, "user"), ...env },
  });
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]!.setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
    });
  const result = new Promise<CliResult>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exit) => resolve({ exit, ...text }));
  });
  return { child, result };
}

/** What the runner's own settings would change is left out: CI, GitHub's annotations, Bootwright's variables. */
const userEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(BOOTWRIGHT_|GITHUB_|VITEST)|^(CI|FORCE_COLOR|NODE_OPTIONS)$/.test(name),
    ),
  );

/** The one document of `--json`. Throws when there is anything else on stdout. */
// biome-ignore lint/suspicious/noExplicitAny: each command's document has its own shape.
export function documentOf({ stdout }: CliResult): any {
  const lines = stdout.split("\n");
  if (lines.length !== 2 || lines[1] !== "")
    throw new Error(`expected one line of JSON, got ${JSON.stringify(stdout)}`);
  return JSON.parse(lines[0]!);
}
