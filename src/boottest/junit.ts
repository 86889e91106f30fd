/** The report as JUnit XML, the form that CI systems read (the common subset of Ant's and Surefire's schemas). */
import { writeFileAtomic } from "../base/fs.ts";
import type { TestReport, TestResult } from "./report.ts";

/** Throws an I/O error. */
export function writeJunitReport(report: TestReport, file: string): void {
  writeFileAtomic(file, junitXml(report));
}

/** One `<testsuite>` a file, one `<testcase>` a test; times in seconds. */
export function junitXml(report: TestReport): string {
  const suites = Map.groupBy(report.tests, (test) => test.file);
  const counts = `tests="${report.tests.length}" failures="${report.failed}" skipped="${report.skipped}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="bootwright" ${counts} errors="0" time="${seconds(report.ms)}">`,
    ...[...suites].flatMap(([file, tests]) => suite(file, tests)),
    "</testsuites>",
    "",
  ].join("\n");
}

function suite(file: string, tests: readonly TestResult[]): readonly string[] {
  const count = (status: TestResult["status"]) => tests.filter((test) => test.status === status).length;
  const ms = tests.reduce((sum, test) => sum + test.ms, 0);
  const counts = `tests="${tests.length}" failures="${count("failed")}" skipped="${count("skipped")}" errors="0"`;
  return [
    `  <testsuite name="${xmlAttribute(file)}" ${counts} time="${seconds(ms)}">`,
    ...tests.flatMap(testCase),
    "  </testsuite>",
  ];
}

function testCase(test: TestResult): readonly string[] {
  const open = `    <testcase classname="${xmlAttribute(test.file)}" name="${xmlAttribute(test.name)}" time="${seconds(test.ms)}"`;
  const children = [...skipped(test), ...failure(test), ...attachments(test)];
  return children.length === 0 ? [`${open}/>`] : [`${open}>`, ...children, "    </testcase>"];
}

const skipped = ({ status }: TestResult): readonly string[] => (status === "skipped" ? ["      <skipped/>"] : []);

function failure({ error }: TestResult): readonly string[] {
  if (error === undefined) return [];
  const text = [error.message, error.hint, error.detail, error.stack].filter((part) => part !== undefined).join("\n\n");
  const type = xmlAttribute(error.code ?? "ExpectationError");
  return [`      <failure message="${xmlAttribute(error.message)}" type="${type}">${xmlText(text)}</failure>`];
}

/** `[[ATTACHMENT|path]]` lines are what Jenkins and GitLab understand. */
function attachments({ attachments }: TestResult): readonly string[] {
  if (attachments.length === 0) return [];
  const lines = attachments.map((file) => xmlText(`[[ATTACHMENT|${file}]]`));
  return [`      <system-out>${lines.join("\n")}</system-out>`];
}

const seconds = (ms: number): string => (ms / 1000).toFixed(3);

/** XML 1.0 has no way to write most control characters, so they are replaced; lone surrogates too. */
const xmlText = (text: string): string =>
  text
    .toWellFormed()
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\ufffe\uffff]/g, "\ufffd")
    .replace(/[&<>"]/g, (c) => ENTITIES[c]!);

/** In attributes, a reader makes plain newlines and tabs into blanks: they are written as references. */
const xmlAttribute = (text: string): string => xmlText(text).replace(/[\n\t\r]/g, (c) => `&#${c.charCodeAt(0)};`);

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
