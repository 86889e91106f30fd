/**
 * `npm test [-- [--full] [FILE…]]`: installs the programs that tests need, checks the code, runs the tests. The last line
 * is the total. `--full` runs the sets in full that are otherwise sampled. With files, only these run.
 *
 * A run leaves nothing behind: its temporary directory, its store and the default cache of the programs that it starts lie
 * in one directory, which goes at the end. The store is shared by the tests of one run (BOOTWRIGHT_TEST_STORE), so that a
 * kernel is fetched and unpacked once.
 */
import { type ChildProcess, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { ensureHostTools } from "../src/api/host-check.ts";
import { BootwrightError } from "../src/base/errors.ts";
import { formatDuration } from "../src/base/size.ts";
import { CODE_CHECKS, runChecks } from "./checks.ts";
import { OUTSIDE_ERRORS } from "./outside-errors.ts";
import { emit, explainError, ROOT, say } from "./terminal.ts";
import {
  addTotals,
  afterSecondRun,
  countTests,
  filesToRepeat,
  isSuccess,
  type Total,
  totalLine,
} from "./test-total.ts";

const NOTHING: Total = { passed: 0, failed: 0, skipped: 0 };

const files = process.argv.slice(2).filter((word) => word !== "--full");
const full = process.argv.includes("--full");
const stop = new AbortController();
let running: ChildProcess | undefined;
// Ctrl-C reaches the test runner, too; what is sent to us alone is passed on. Both then end, and we tidy up.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => {
    stop.abort(new BootwrightError("INTERRUPTED", `ended by ${signal}`));
    running?.kill(signal);
  });

let total = NOTHING;
try {
  await ensureHostTools("test", { emit, signal: stop.signal });
  if (files.length === 0) total = await checkCode();
  total = addTotals(total, await runTests());
  process.exitCode = isSuccess(total) ? 0 : 1;
} catch (error) {
  total = addTotals(total, { ...NOTHING, failed: 1 });
  process.exitCode = explainError(error);
}
process.stdout.write(`\n${totalLine(total)}\n`);

async function checkCode(): Promise<Total> {
  let found = NOTHING;
  for await (const { name, ok, ms, output } of runChecks(CODE_CHECKS, stop.signal)) {
    say(` ${ok ? "✓" : "✗"} ${name} ${formatDuration(ms)}`);
    if (!ok) say(output.trim().replaceAll(/^/gm, "   "));
    found = addTotals(found, { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 });
  }
  return found;
}

/** Tests that failed, if few and of whole programs, run once more, alone; that is said (docs/decisions/0037). */
async function runTests(): Promise<Total> {
  // Short, because unix sockets lie below it (108 bytes in all).
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "bwt-"));
  try {
    for (const name of ["t", "cache", "data", "store"]) fs.mkdirSync(path.join(dir, name));
    const first = await runVitest(dir, files);
    const again = filesToRepeat(first, path.join(ROOT, "test"));
    if (again.length === 0 || first.report === undefined) return countTests(first.report, first.exit);
    say(`\nonce more, alone: ${again.map((file) => path.relative(ROOT, file)).join(", ")}`);
    const second = await runVitest(dir, again);
    const { total: both, unsteady } = afterSecondRun({ report: first.report, exit: first.exit }, second);
    for (const name of unsteady) say(`unsteady, passed only when run again: ${path.relative(ROOT, name)}`);
    return both;
  } finally {
    fs.rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function runVitest(
  dir: string,
  only: readonly string[],
): Promise<{ report: string | undefined; exit: number | null; outside: boolean }> {
  const report = path.join(dir, "report.json");
  const outside = path.join(dir, "outside-errors");
  for (const file of [report, outside]) fs.rmSync(file, { force: true });
  running = spawn(
    process.execPath,
    [
      path.join(ROOT, "node_modules/vitest/vitest.mjs"),
      "run",
      ...["--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
      `--reporter=${path.join(ROOT, "scripts/outside-errors.ts")}`,
      ...only,
    ],
    {
      cwd: ROOT,
      stdio: ["ignore", "inherit", "inherit"],
      env: {
        ...process.env,
        TMPDIR: path.join(dir, "t"),
        XDG_CACHE_HOME: path.join(dir, "cache"),
        XDG_DATA_HOME: path.join(dir, "data"),
        BOOTWRIGHT_TEST_STORE: path.join(dir, "store"),
        [OUTSIDE_ERRORS]: outside,
        ...(full && { BOOTWRIGHT_TEST_FULL: "1" }),
      },
    },
  );
  const exit = await new Promise<number | null>((resolve, reject) => {
    running!.once("error", reject);
    running!.once("exit", resolve);
  });
  stop.signal.throwIfAborted();
  return {
    exit,
    report: fs.existsSync(report) ? fs.readFileSync(report, "utf8") : undefined,
    outside: fs.existsSync(outside),
  };
}
