/**
 * The door of `boottest`, and what `bootwright/test` gives to `*.boot.ts` files: `test` and `expect`; the rest is for
 * whoever runs them. The one exception to "a domain never imports another": a boot test is about a machine, so this
 * domain uses the door of `vm`.
 */
export type { MachineFixture, TestBody, TestFixtures, TestOptions } from "./collector.ts";
export { type Assertions, ExpectationError, expect, type ScreenAssertions } from "./expect.ts";
export { writeJsonReport } from "./json-report.ts";
export { junitXml, writeJunitReport } from "./junit.ts";
export type { TestError, TestReport, TestResult } from "./report.ts";
export { type RunBootTestsOptions, runBootTests } from "./runner.ts";
export { screenText } from "./screen-text.ts";
export { test } from "./test.ts";
