import fc from "fast-check";
import { expect, test } from "vitest";
import { lintWorkflow } from "./lint-workflow.ts";

const GOOD = `
on: push
permissions: {}
concurrency: { group: a }
defaults: { run: { shell: bash } }
jobs:
  a:
    runs-on: x
    permissions: { contents: read }
    timeout-minutes: 5
    steps:
      - uses: actions/checkout@${"0".repeat(40)}
        with: { persist-credentials: false }
      - env: { REF: "\${{ github.head_ref }}" }
        run: echo "$REF"
`;

test("a careful workflow has no mistakes", () => {
  expect(lintWorkflow(GOOD)).toEqual([]);
});

test.each([
  ["permissions", "permissions: {}", "permissions: { contents: write }"],
  ["permissions", "permissions: {}\n", ""],
  ["permissions", "    permissions: { contents: read }\n", ""],
  ["concurrency", "concurrency: { group: a }\n", ""],
  ["shell", "shell: bash", "shell: sh"],
  ["timeout", "    timeout-minutes: 5\n", ""],
  ["pinned", `@${"0".repeat(40)}`, "@v5"],
  ["pinned", `actions/checkout@${"0".repeat(40)}`, "docker://alpine:3"],
  ["pinned", "    runs-on: x\n", "    runs-on: x\n    container: alpine:3\n"],
  ["pinned", "    runs-on: x\n", "    runs-on: x\n    container: { image: alpine:3 }\n"],
  ["credentials", "        with: { persist-credentials: false }\n", ""],
  ["injection", 'echo "$REF"', "echo ${{ github.event.pull_request.title }}"],
  ["trigger", "on: push", "on: [push, pull_request_target]"],
  ["syntax", "jobs:", "jobs: ["],
])("%s", (rule, from, to) => {
  expect(GOOD).toContain(from);
  expect(lintWorkflow(GOOD.replace(from, to)).map((one) => one.rule)).toContain(rule);
});

test("any text is judged, not a crash", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify({ jobs: value })),
      ),
      (text) => {
        expect(lintWorkflow(text).length).toBeGreaterThan(0);
      },
    ),
  );
  const bomb = `a: &a [1,1,1,1,1,1,1,1]\n${"bcdefgh".replace(/./g, (it, i: number) => `${it}: &${it} [${`*${"abcdefg"[i]},`.repeat(8)}]\n`)}`;
  expect(lintWorkflow(bomb)).toMatchObject([{ rule: "syntax" }]);
});
