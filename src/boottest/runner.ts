/** Loads `*.boot.ts` files, runs their tests, and reports. How an image becomes a machine is the caller's knowledge. */
import { pathToFileURL } from "node:url";
import { systemClock } from "../base/clock.ts";
import { BootwrightError, messageOf } from "../base/errors.ts";
import { type Emit, silent } from "../base/events.ts";
import { type CollectedTest, collect } from "./collector.ts";
import { reportOf, type TestReport, type TestResult } from "./report.ts";
import { runTest, type StartTestMachine } from "./run-test.ts";

export interface RunBootTestsOptions {
  /** Absolute paths. */
  readonly files: readonly string[];
  readonly startMachine: StartTestMachine;
  /** Runs a test file anew. Default: Node's own loader, which needs `bootwright` in a node_modules. */
  readonly load?: (file: string) => Promise<unknown>;
  readonly emit?: Emit;
  /** Evidence of failures goes here, a directory for each test. */
  readonly resultsDir: string;
  /** Only tests whose `file > name` matches. */
  readonly grep?: string | RegExp;
  /** Further tries of a failed test; default 0: a flaky boot is a bug. */
  readonly retries?: number;
  /** Machines at once; default 1, since software emulation takes whole processors. */
  readonly workers?: number;
  /** Milliseconds a test, boot included; default 180 000. */
  readonly timeout?: number;
  /** Overwrite kept pictures with what the screen shows now. */
  readonly updateScreens?: boolean;
  readonly signal?: AbortSignal;
}

/** Throws NAME_UNKNOWN when `grep` selects nothing, USAGE when there is no test at all, or the signal's reason. */
export async function runBootTests(options: RunBootTestsOptions): Promise<TestReport> {
  const began = systemClock.elapsed();
  const { tests, failures } = await loadTests(options);
  const selected = select(tests, options.grep);
  if (selected.length === 0 && failures.length === 0) throw nothingToRun(tests, options);
  const results = await runAll(selected, options);
  options.signal?.throwIfAborted();
  return reportOf([...failures, ...results], systemClock.elapsed() - began);
}

let loads = 0;

/** The query makes a second run in this process load the file anew. */
const importAnew = (file: string): Promise<unknown> => import(`${pathToFileURL(file).href}?run=${loads++}`);

/** A file that does not load counts as a failed test: the others still run. */
async function loadTests({ files, load = importAnew }: RunBootTestsOptions): Promise<{
  readonly tests: readonly CollectedTest[];
  readonly failures: readonly TestResult[];
}> {
  const tests: CollectedTest[] = [];
  const failures: TestResult[] = [];
  for (const file of files) {
    try {
      tests.push(...(await collect(file, () => load(file))));
    } catch (error) {
      const stack = error instanceof Error ? error.stack : undefined;
      failures.push({
        ...{ file, name: "(the file does not load)", status: "failed", ms: 0, attempts: 1, flaky: false },
        error: { message: messageOf(error), ...(stack === undefined ? {} : { stack }) },
        attachments: [],
      });
    }
  }
  return { tests, failures };
}

function select(tests: readonly CollectedTest[], grep: string | RegExp | undefined): readonly CollectedTest[] {
  if (grep === undefined) return tests;
  return tests.filter(({ file, name }) => {
    const title = `${file} > ${name}`;
    return typeof grep === "string" ? title.includes(grep) : title.search(grep) !== -1;
  });
}

function nothingToRun(tests: readonly CollectedTest[], { files, grep }: RunBootTestsOptions): BootwrightError {
  if (tests.length === 0)
    return new BootwrightError("USAGE", `no boot tests in ${files.length === 0 ? "no files" : files.join(", ")}`, {
      hint: 'a boot test is test("…", async ({ machine }) => …) in a *.boot.ts file',
    });
  const names = tests.map((test) => test.name).slice(0, 10);
  return new BootwrightError("NAME_UNKNOWN", `no boot test matches ${String(grep)}`, {
    hint: `there are: ${names.join(", ")}`,
  });
}

/** Results in the order of the files, whatever ends first. */
async function runAll(tests: readonly CollectedTest[], options: RunBootTestsOptions): Promise<readonly TestResult[]> {
  const results: TestResult[] = [];
  let next = 0;
  const worker = async () => {
    while (next < tests.length && !options.signal?.aborted) {
      const index = next++;
      results[index] = await runWithRetries(tests[index]!, options);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, options.workers ?? 1) }, worker));
  return results;
}

async function runWithRetries(test: CollectedTest, options: RunBootTestsOptions): Promise<TestResult> {
  const emit = options.emit ?? silent;
  const { file, name } = test;
  if (test.skip) {
    emit({ type: "test.done", file, test: name, status: "skipped", ms: 0 });
    return { file, name, status: "skipped", ms: 0, attempts: 0, flaky: false, attachments: [] };
  }
  emit({ type: "test.start", file, test: name });
  const began = systemClock.elapsed();
  const allowed = 1 + (test.options.retries ?? options.retries ?? 0);
  const attachments: string[] = [];
  for (let attempt = 1; ; attempt++) {
    const { error, bootedIn, ...kept } = await runTest(test, {
      startMachine: options.startMachine,
      resultsDir: options.resultsDir,
      updateScreens: options.updateScreens ?? false,
      timeout: options.timeout ?? 180_000,
      attempt,
      signal: options.signal,
    });
    attachments.push(...kept.attachments);
    if (error !== undefined && attempt < allowed && !options.signal?.aborted) {
      emit({ type: "retry", what: `${file} > ${name}`, attempt, reason: error.message, waitMs: 0 });
      continue;
    }
    const ms = systemClock.elapsed() - began;
    const status = error === undefined ? "passed" : "failed";
    emit({
      ...{ type: "test.done", file, test: name, status, ms, attachments },
      ...(error === undefined ? {} : { message: error.message }),
    });
    return {
      ...{ file, name, status, ms, attempts: attempt, flaky: status === "passed" && attempt > 1, attachments },
      ...(error === undefined ? {} : { error }),
      ...(bootedIn === undefined ? {} : { bootedIn }),
    };
  }
}
