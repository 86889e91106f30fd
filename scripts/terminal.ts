/** How the scripts of this repository talk: the program's own reporter and error texts, on stderr. */
import path from "node:path";
import { isBootwrightError } from "../src/base/errors.ts";
import type { Emit } from "../src/base/events.ts";
import { renderError } from "../src/reporters/error.ts";
import { plainReporter } from "../src/reporters/plain.ts";
import type { Screen } from "../src/reporters/screen.ts";

export const ROOT = path.join(import.meta.dirname, "..");

const screen: Screen = {
  isTTY: process.stderr.isTTY === true,
  stdoutIsTTY: process.stdout.isTTY === true,
  colors: process.stderr.isTTY === true && !process.env.NO_COLOR,
  columns: () => process.stderr.columns ?? 80,
  rows: () => process.stderr.rows ?? 24,
  stdout: process.stdout,
  stderr: process.stderr,
};

export const emit: Emit = plainReporter(screen, { debug: false }).event;

export const say = (text: string): void => void process.stderr.write(`${text}\n`);

/** Shows the error; returns the exit code that it stands for. */
export function explainError(error: unknown): number {
  say(renderError(screen, error, { cwd: process.cwd(), debug: false }).trimEnd());
  return isBootwrightError(error) ? error.exit : 1;
}
