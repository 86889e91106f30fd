/** What a run of boot tests found, as data. Times are milliseconds. */

export interface TestError {
  readonly message: string;
  /** Of a coded error: the machine failed, rather than an expectation. */
  readonly code?: string;
  readonly hint?: string;
  /** The last console lines, mostly. Guest text: untrusted, control characters escaped. */
  readonly detail?: string;
  readonly stack?: string;
}

export interface TestResult {
  readonly file: string;
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
  /** All attempts together. */
  readonly ms: number;
  readonly attempts: number;
  /** Passed, but not at first. */
  readonly flaky: boolean;
  readonly error?: TestError;
  /** Files that were kept: console, screen text, pictures. */
  readonly attachments: readonly string[];
  /** Power-on to ready, of the last attempt. */
  readonly bootedIn?: number;
}

export interface TestReport {
  readonly tests: readonly TestResult[];
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly flaky: number;
  readonly ms: number;
  /** Something ran, and nothing failed. */
  readonly ok: boolean;
}

export function reportOf(tests: readonly TestResult[], ms: number): TestReport {
  const count = (status: TestResult["status"]) => tests.filter((test) => test.status === status).length;
  const [passed, failed, skipped] = [count("passed"), count("failed"), count("skipped")];
  const flaky = tests.filter((test) => test.flaky).length;
  return { tests, passed, failed, skipped, flaky, ms, ok: failed === 0 && passed > 0 };
}
