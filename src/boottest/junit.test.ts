import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { junitXml } from "./junit.ts";
import { reportOf, type TestResult } from "./report.ts";

const passed: TestResult = {
  ...{ file: "a.boot.ts", name: "says hello", status: "passed", ms: 1500, attempts: 1, flaky: false, attachments: [] },
};
const failed: TestResult = {
  ...passed,
  name: 'is <"quick"> & neat',
  status: "failed",
  error: { message: "line 1\nline 2", code: "GUEST_PANIC", detail: "\u001b[31mred\u0000" },
  attachments: ["/r/console.txt"],
};

test("one suite a file, one case a test", () => {
  const skipped: TestResult = { ...passed, file: "b.boot.ts", name: "later", status: "skipped", ms: 0 };
  expect(junitXml(reportOf([passed, failed, skipped], 3200))).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bootwright" tests="3" failures="1" skipped="1" errors="0" time="3.200">
  <testsuite name="a.boot.ts" tests="2" failures="1" skipped="0" errors="0" time="3.000">
    <testcase classname="a.boot.ts" name="says hello" time="1.500"/>
    <testcase classname="a.boot.ts" name="is &lt;&quot;quick&quot;&gt; &amp; neat" time="1.500">
      <failure message="line 1&#10;line 2" type="GUEST_PANIC">line 1
line 2

\ufffd[31mred\ufffd</failure>
      <system-out>[[ATTACHMENT|/r/console.txt]]</system-out>
    </testcase>
  </testsuite>
  <testsuite name="b.boot.ts" tests="1" failures="0" skipped="1" errors="0" time="0.000">
    <testcase classname="b.boot.ts" name="later" time="0.000">
      <skipped/>
    </testcase>
  </testsuite>
</testsuites>
`);
});

test("whatever a guest wrote, only characters that XML allows are left", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const xml = junitXml(reportOf([{ ...failed, name: text, error: { message: text, detail: text } }], 0));
      expect(xml.isWellFormed()).toBe(true);
      expect(xml).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/);
      expect(xml.match(/<\/?[a-z-]+/g)?.length).toBe(10);
    }),
  );
});

test("a run in which nothing passed is not ok", () => {
  expect(reportOf([], 0).ok).toBe(false);
  expect(reportOf([{ ...passed, status: "skipped" }], 0).ok).toBe(false);
  expect(reportOf([passed], 0).ok).toBe(true);
  expect(reportOf([passed, failed], 0).ok).toBe(false);
});

test("the JSON report names its schema", async () => {
  const { writeJsonReport } = await import("./json-report.ts");
  const dir = mkdtempSync(path.join(tmpdir(), "bw-test-"));
  writeFileSync(path.join(dir, "r.json"), "old");
  writeJsonReport(reportOf([passed], 1), path.join(dir, "r.json"));
  const { default: report } = await import(path.join(dir, "r.json"), { with: { type: "json" } });
  expect(report).toMatchObject({ schema: "bootwright.test/1", ok: true, passed: 1 });
  rmSync(dir, { recursive: true });
});
