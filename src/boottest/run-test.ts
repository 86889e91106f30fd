/** Runs one test once: a fresh machine, the body within its time, evidence when it fails, and the machine stopped. */
import path from "node:path";
import { BootwrightError, isBootwrightError, messageOf, printable } from "../base/errors.ts";
import type { Machine } from "../vm/index.ts";
import { type CollectedTest, shared, type TestOptions } from "./collector.ts";
import { type Evidence, evidenceIn, evidenceName, keepEvidence } from "./evidence.ts";
import type { TestError } from "./report.ts";

export type StartTestMachine = (
  image: string | undefined,
  options: TestOptions,
  context: { readonly signal: AbortSignal },
) => Promise<Machine>;

export interface RunTestOptions {
  readonly startMachine: StartTestMachine;
  readonly resultsDir: string;
  readonly updateScreens: boolean;
  /** Milliseconds, where the test has none of its own. */
  readonly timeout: number;
  readonly attempt: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Attempt {
  readonly error?: TestError;
  readonly attachments: readonly string[];
  readonly bootedIn?: number;
}

export async function runTest(test: CollectedTest, options: RunTestOptions): Promise<Attempt> {
  const timeout = test.options.timeout ?? options.timeout;
  const over = new AbortController();
  const signal = options.signal === undefined ? over.signal : AbortSignal.any([over.signal, options.signal]);
  const timer = setTimeout(() => over.abort(outOfTime(test, timeout)), timeout);
  const evidence = evidenceIn(
    path.join(options.resultsDir, evidenceName(test.file, test.name), `attempt-${options.attempt}`),
  );
  let machine: Machine | undefined;
  let failure: { readonly error: unknown } | undefined;
  try {
    machine = await orAborted(startUnlessLate(test, options, signal), signal);
    await orAborted(runBody(test, { machine, evidence, options, signal }), signal);
  } catch (error) {
    failure = { error };
    if (machine !== undefined) await keepEvidence(machine, evidence);
  } finally {
    clearTimeout(timer);
    over.abort(new Error("the test is over"));
    await machine?.stop();
  }
  const bootedIn = machine?.bootedIn;
  return {
    ...(failure === undefined ? {} : { error: testError(failure.error, machine) }),
    attachments: evidence.files,
    ...(bootedIn === undefined ? {} : { bootedIn }),
  };
}

/**
 * The signal counts for the start only: a machine whose test ran out of time must live for its last picture. One that
 * starts after the time is over belongs to nobody, and is stopped here.
 */
async function startUnlessLate(test: CollectedTest, options: RunTestOptions, signal: AbortSignal): Promise<Machine> {
  const starting = new AbortController();
  const abort = () => starting.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    const machine = await options.startMachine(test.options.image, test.options, { signal: starting.signal });
    if (signal.aborted) await machine.stop();
    return machine;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

interface BodyContext {
  readonly machine: Machine;
  readonly evidence: Evidence;
  readonly options: RunTestOptions;
  readonly signal: AbortSignal;
}

async function runBody(test: CollectedTest, { machine, evidence, options, signal }: BodyContext): Promise<void> {
  if (test.options.waitForReady !== false) await machine.ready;
  const current = {
    file: test.file,
    name: test.name,
    attach: evidence.attach,
    updateScreens: options.updateScreens,
    signal,
  };
  await shared().current.run(current, async () => test.body({ machine, signal }));
}

function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

const outOfTime = (test: CollectedTest, timeout: number): BootwrightError =>
  new BootwrightError("GUEST_TIMEOUT", `the test "${test.name}" did not end within ${timeout / 1000} s`, {
    hint: 'give it more: test("…", { timeout: 300_000 }, async ({ machine }) => …)',
  });

function testError(error: unknown, machine: Machine | undefined): TestError {
  const coded = isBootwrightError(error) ? error : undefined;
  const detail = coded?.detail ?? machine?.console.lastLines();
  const stack = coded === undefined && error instanceof Error ? userFrames(error.stack ?? "") : undefined;
  return {
    message: printable(messageOf(error)),
    ...(coded === undefined ? {} : { code: coded.code }),
    ...(coded?.hint === undefined ? {} : { hint: coded.hint }),
    ...(detail === undefined || detail === "" ? {} : { detail: printable(detail) }),
    ...(stack === undefined || stack === "" ? {} : { stack: printable(stack) }),
  };
}

/** The test's own lines: neither the message again, nor our frames or Node's. */
const userFrames = (stack: string): string =>
  stack
    .split("\n")
    .filter((line) => /^ +at /.test(line) && !line.includes(import.meta.dirname) && !line.includes("node:internal"))
    .map((line) => line.replace(/\?run=\d+/, ""))
    .join("\n");
