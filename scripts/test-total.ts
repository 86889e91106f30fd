/** Counts a test run from vitest's JSON report. */
export interface Total {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface TestFile {
  readonly name: string;
  readonly status: string;
  readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly TestFile[];
}

/**
 * `exit`: the runner's exit code; what it failed for without a failed test (an error outside every test, a file that does
 * not load, no report at all) counts as one.
 */
export function countTests(report: string | undefined, exit: number | null): Total {
  if (report === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = parse(report);
  const unloaded = testResults.filter((file) => isFailed(file) && file.assertionResults.length === 0).length;
  const failed = numFailedTests + unloaded;
  return {
    passed: numPassedTests,
    failed: failed === 0 && exit !== 0 ? 1 : failed,
    skipped: numPendingTests + numTodoTests,
  };
}

/** A test that needs more than one attempt is unsteady; where many fail, something is broken, and saying so soon is better. */
const MOST_UNSTEADY_FILES = 3;

/**
 * The files whose failed tests get a second attempt: those below `directory` (whole programs and virtual machines, whose
 * time is not ours alone), when these are all that failed, and few. `outside`: something failed outside of every test.
 */
export function filesToRepeat(
  { report, outside }: { readonly report: string | undefined; readonly outside: boolean },
  directory: string,
): string[] {
  if (report === undefined || outside) return [];
  const failed = parse(report).testResults.filter(isFailed);
  const repeatable = failed.every(
    ({ name, assertionResults }) => name.startsWith(`${directory}/`) && assertionResults.length > 0,
  );
  return repeatable && failed.length <= MOST_UNSTEADY_FILES ? failed.map(({ name }) => name) : [];
}

/** What the first run says of all other files, and the second of these; and the tests that passed only then. */
export function afterSecondRun(
  first: { report: string; exit: number | null },
  second: { report: string | undefined; exit: number | null },
): { total: Total; unsteady: string[] } {
  const repeated = parse(first.report).testResults.filter(isFailed);
  const then = countTests(second.report, second.exit);
  const before = countTests(first.report, first.exit);
  const inRepeated = (...statuses: string[]): number =>
    repeated.flatMap((file) => file.assertionResults).filter(({ status }) => statuses.includes(status)).length;
  const passed = new Set(
    second.report === undefined
      ? []
      : parse(second.report).testResults.flatMap((file) =>
          file.assertionResults
            .filter(({ status }) => status === "passed")
            .map((one) => `${file.name}: ${one.fullName}`),
        ),
  );
  return {
    total: addTotals(then, {
      passed: before.passed - inRepeated("passed"),
      failed: before.failed - inRepeated("failed"),
      skipped: before.skipped - inRepeated("pending", "skipped", "todo", "disabled"),
    }),
    unsteady: repeated.flatMap((file) =>
      file.assertionResults
        .filter(({ status }) => status === "failed")
        .map((one) => `${file.name}: ${one.fullName}`)
        .filter((name) => passed.has(name)),
    ),
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

const parse = (report: string): VitestReport => JSON.parse(report) as VitestReport;

const isFailed = ({ status }: TestFile): boolean => status === "failed";
