/** The last line of `npm test` is read by programs. */
import { expect, test } from "vitest";
import { afterSecondRun, countTests, filesToRepeat, isSuccess, totalLine } from "../../scripts/test-total.ts";

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

const ran = (name: string, ...tests: [status: string, fullName: string][]) => ({
  name,
  status: tests.some(([status]) => status === "failed") ? "failed" : "passed",
  assertionResults: tests.map(([status, fullName]) => ({ status, fullName })),
});

test("what failed is run again when it is little and of whole programs; all else stays failed", () => {
  const failing = (name: string) => ran(name, ["failed", "a"]);
  const filesOf = (...results: object[]) =>
    filesToRepeat({ report: report({ failed: results.length }, results), outside: false }, "/p/test");
  expect(filesOf(ran("/p/test/fine", ["passed", "a"]), failing("/p/test/b"))).toEqual(["/p/test/b"]);
  expect(filesOf(failing("/p/test/b"), failing("/p/src/c"))).toEqual([]);
  expect(filesOf(failing("/p/testing/b"))).toEqual([]);
  expect(filesOf({ name: "/p/test/b", status: "failed", assertionResults: [] })).toEqual([]);
  expect(filesOf(...["b", "c", "d", "e"].map((name) => failing(`/p/test/${name}`)))).toEqual([]);
  expect(filesToRepeat({ report: undefined, outside: false }, "/p/test")).toEqual([]);
  const one = report({ failed: 1 }, [failing("/p/test/b")]);
  expect(filesToRepeat({ report: one, outside: true }, "/p/test")).toEqual([]);
});

test("a second run replaces what the first said of these files, and names what passed only then", () => {
  const all = [
    ran("/p/test/fine", ["passed", "x"]),
    ran("/p/test/b", ["passed", "steady"], ["failed", "unsteady"], ["failed", "broken"], ["skipped", "s"]),
  ];
  const first = { report: report({ passed: 2, failed: 2, pending: 1 }, all), exit: 1 };
  const then = ran("/p/test/b", ["passed", "steady"], ["passed", "unsteady"], ["failed", "broken"], ["skipped", "s"]);
  const second = { report: report({ passed: 2, failed: 1, pending: 1 }, [then]), exit: 1 };
  expect(afterSecondRun(first, second)).toEqual({
    total: { passed: 3, failed: 1, skipped: 1 },
    unsteady: ["/p/test/b: unsteady"],
  });
  expect(afterSecondRun(first, { report: undefined, exit: null }).total.failed).toBe(1);
});

test("a run without a test is no success", () => {
  expect(isSuccess(countTests(report({}), 0))).toBe(false);
  expect(isSuccess(countTests(report({ pending: 5 }), 0))).toBe(false);
  expect(isSuccess(countTests(report({ passed: 1 }), 0))).toBe(true);
  expect(isSuccess(countTests(report({ passed: 1, failed: 1 }), 1))).toBe(false);
});
