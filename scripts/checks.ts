/** Checks of the code that are not tests: each a program, all at once. */
import os from "node:os";
import path from "node:path";
import { messageOf } from "../src/base/errors.ts";
import { defaultEnvironment, run } from "../src/base/process.ts";
import { ROOT } from "./terminal.ts";

export interface Check {
  readonly name: string;
  /** Program under node_modules/.bin, or a script; and its arguments. */
  readonly argv: readonly string[];
}

export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly ms: number;
  /** What it printed; shown when it failed. */
  readonly output: string;
}

const bin = (name: string, ...args: string[]): readonly string[] => [
  process.execPath,
  path.join(ROOT, "node_modules/.bin", name),
  ...args,
];
const script = (name: string, ...args: string[]): readonly string[] => [
  process.execPath,
  path.join(ROOT, "scripts", name),
  ...args,
];

/** Fast, and what `npm test` begins with. */
export const CODE_CHECKS: readonly Check[] = [
  { name: "types", argv: bin("tsc") },
  { name: "lint and format", argv: bin("biome", "ci", "--colors=off") },
  { name: "dead code", argv: bin("knip", "--no-progress") },
  { name: "links in documents", argv: script("check-links.ts") },
  { name: "generated files", argv: script("generate.ts", "--check") },
  { name: "protocol code", argv: script("check-protocol.ts") },
];

/** `npm run check` has the architecture among them; in `npm test` it is one of the test files. */
export const ARCHITECTURE_CHECK: Check = {
  name: "architecture",
  argv: [process.execPath, path.join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "test/architecture.test.ts"],
};

/** Results as they come. Two at once: they use several processors by themselves. */
export async function* runChecks(checks: readonly Check[], signal?: AbortSignal): AsyncGenerator<CheckResult> {
  const waiting = [...checks];
  const running = new Map<Check, Promise<{ check: Check; result: CheckResult }>>();
  const room = Math.max(2, os.availableParallelism());
  while (waiting.length > 0 || running.size > 0) {
    while (waiting.length > 0 && running.size < room) {
      const check = waiting.shift()!;
      running.set(
        check,
        runCheck(check, signal).then((result) => ({ check, result })),
      );
    }
    const { check, result } = await Promise.race(running.values());
    running.delete(check);
    yield result;
  }
}

async function runCheck({ name, argv }: Check, signal: AbortSignal | undefined): Promise<CheckResult> {
  const began = performance.now();
  const lines: string[] = [];
  let ok = false;
  try {
    const env = { ...defaultEnvironment(), NO_COLOR: "1", NODE_NO_WARNINGS: "1", TMPDIR: os.tmpdir() };
    const accept = [...Array(256).keys()];
    const onLine = (line: string) => lines.push(line);
    const result = await run(argv, { cwd: ROOT, env, accept, signal, onLine, timeout: 120_000 });
    lines.unshift(result.stdout.toString());
    ok = result.exit === 0;
  } catch (error) {
    signal?.throwIfAborted();
    lines.push(messageOf(error));
  }
  return { name, ok, ms: performance.now() - began, output: lines.join("\n") };
}
