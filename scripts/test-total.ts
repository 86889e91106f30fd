/** Counts a test run from vitest's JSON report. */
export interface Total {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

/**
 * `exit`: the runner's exit code; what it failed for without a failed test (an error outside every test, a file that does
 * not load, no report at all) counts as one.
 */
export function countTests(report: string | undefined, exit: number | null): Total {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
    report,
  ) as VitestReport;
  const unloaded = testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0).length;
  const failed = numFailedTests + unloaded;
  return {
    passed: numPassedTests,
    failed: failed === 0 && exit !== 0 ? 1 : failed,
    skipped: numPendingTests + numTodoTests,
  };
}

export const addTotals = (a: Total, b: Total): Total => ({
  passed: a.passed + b.passed,
  failed: a.failed + b.failed,
  skipped: a.skipped + b.skipped,
});

/** The last line of a run. Programs read it: its form is kept. */
export const totalLine = ({ passed, failed, skipped }: Total): string =>
  `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;

/** A run in which nothing ran has shown nothing. */
export const isSuccess = ({ passed, failed }: Total): boolean => failed === 0 && passed > 0;
