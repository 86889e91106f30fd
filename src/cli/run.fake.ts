/** Runs the real program in a process of its own, as a user does. */
import { spawnSync } from "node:child_process";
import path from "node:path";

const BIN = path.join(import.meta.dirname, "../../bin/bootwright.js");

export interface RunResult {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function bootwright(
  argv: readonly string[],
  options: { cwd?: string; env?: Record<string, string> } = {},
): RunResult {
  const { cwd = import.meta.dirname, env = {} } = options;
  const result = spawnSync(process.execPath, [BIN, ...argv], {
    cwd,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "/", ...env },
    encoding: "utf8",
    timeout: 30_000,
  });
  return { exit: result.status, stdout: result.stdout, stderr: result.stderr };
}
