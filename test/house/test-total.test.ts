/** The last line of `npm test` is read by programs. */
import { expect, test } from "vitest";
import { countTests, isSuccess, totalLine } from "../../scripts/test-total.ts";

const report = (numbers: Partial<Record<"passed" | "failed" | "pending" | "todo", number>>, files: object[] = []) =>
  JSON.stringify({
    numPassedTests: numbers.passed ?? 0,
    numFailedTests: numbers.failed ?? 0,
    numPendingTests: numbers.pending ?? 0,
    numTodoTests: numbers.todo ?? 0,
    testResults: files,
  });

test("counts what the runner reports", () => {
  expect(totalLine(countTests(report({ passed: 3 }), 0))).toBe("3 passed, 0 failed");
  expect(totalLine(countTests(report({ passed: 3, failed: 2, pending: 1, todo: 1 }), 1))).toBe(
    "3 passed, 2 failed, 2 skipped",
  );
});

test("a file that does not load, an error outside of tests and a lost report are failures", () => {
  const unloaded = { status: "failed", assertionResults: [] };
  expect(countTests(report({ passed: 3 }, [unloaded]), 1).failed).toBe(1);
  expect(countTests(report({ passed: 3 }), 1).failed).toBe(1);
  expect(countTests(report({ passed: 3 }), null).failed).toBe(1);
  expect(countTests(undefined, 0)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});

test("a run without a test is no success", () => {
  expect(isSuccess(countTests(report({}), 0))).toBe(false);
  expect(isSuccess(countTests(report({ pending: 5 }), 0))).toBe(false);
  expect(isSuccess(countTests(report({ passed: 1 }), 0))).toBe(true);
  expect(isSuccess(countTests(report({ passed: 1, failed: 1 }), 1))).toBe(false);
});
