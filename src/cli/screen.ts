/** Reads the terminal once, into a value. Node's own rules for colour: NO_COLOR, FORCE_COLOR, TERM=dumb. */
import type { Screen } from "../reporters/screen.ts";

export interface Terminal {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** BOOTWRIGHT_FORCE_TTY=100x40 pretends a terminal of that size, for tests. */
export function readScreen({ stdout, stderr, env }: Terminal, color: boolean | undefined): Screen {
  const forced = /^(\d{1,4})x(\d{1,4})$/.exec(env.BOOTWRIGHT_FORCE_TTY ?? "");
  const isTTY = forced !== null || (stderr.isTTY === true && env.TERM !== "dumb");
  return {
    isTTY,
    columns: () => (forced === null ? (stderr.columns ?? 80) : Number(forced[1])),
    rows: () => (forced === null ? (stderr.rows ?? 24) : Number(forced[2])),
    colors: color ?? wantsColor(isTTY, env),
    stdout,
    stderr,
    stdoutIsTTY: stdout.isTTY === true,
  };
}

function wantsColor(isTTY: boolean, env: Terminal["env"]): boolean {
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return env.FORCE_COLOR !== "0";
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  return isTTY && env.TERM !== "dumb";
}
