import { expect, test } from "vitest";
import { BootwrightError } from "../base/errors.ts";
import type { BuildEvent } from "../base/events.ts";
import { createReporter } from "./create.ts";
import { errorData, renderError } from "./error.ts";
import { codeFrame } from "./frame.ts";
import { errorAnnotation, githubReporter } from "./github.ts";
import { jsonReporter } from "./json.ts";
import { plainReporter } from "./plain.ts";
import { fakeClock, fakeScreen, shownLines } from "./screen.fake.ts";
import { ttyReporter } from "./tty.ts";

const DIGEST = "9f2c".padEnd(64, "0");

const BUILD: readonly BuildEvent[] = [
  { type: "build.start", stages: 3 },
  { type: "stage.cached", stage: "kernel", key: "k1", bytes: 8_000_000, digest: DIGEST },
  { type: "stage.waiting", stage: "uki", on: ["initramfs"] },
  { type: "stage.start", stage: "initramfs", key: "k2", reason: "files changed" },
  { type: "stage.progress", stage: "initramfs", done: 19_293_798, total: 32_715_571, unit: "bytes", what: "packing" },
];

const END: readonly BuildEvent[] = [
  { type: "stage.done", stage: "initramfs", key: "k2", ms: 4100, bytes: 32_715_571, digest: DIGEST },
  { type: "stage.start", stage: "uki", key: "k3", reason: "input initramfs changed" },
  { type: "stage.output", stage: "uki", line: "cannot align" },
  { type: "stage.failed", stage: "uki", ms: 12, message: "no stub" },
  { type: "note", text: "2 of 3 stages done" },
];

test("plain: only added lines, each with its stage's number", () => {
  const screen = fakeScreen();
  const clock = fakeClock();
  const reporter = plainReporter(screen, { debug: false }, clock);
  for (const event of [...BUILD, ...END]) {
    clock.pass(2500);
    reporter.event(event);
  }
  expect(screen.sent()).toEqual({
    stdout: "",
    stderr: `#1 kernel: cached sha256:9f2c00000000
#2 initramfs: start (files changed)
#2 initramfs: packing 18.4 MiB / 31.2 MiB
#2 initramfs: done 4.1 s sha256:9f2c00000000 31.2 MiB
#3 uki: start (input initramfs changed)
#3 uki: | cannot align
#3 uki: failed after 12 ms: no stub
2 of 3 stages done
`,
  });
});

test("plain: progress is thinned by share and by time", () => {
  const screen = fakeScreen();
  const clock = fakeClock();
  const reporter = plainReporter(screen, { debug: false }, clock);
  for (let done = 0; done <= 1000; done++) {
    clock.pass(10);
    reporter.event({ type: "stage.progress", stage: "a", done, total: 1000, unit: "files" });
  }
  expect(screen.sent().stderr.trim().split("\n").length).toBeLessThanOrEqual(5);
});

test("plain: guest output is the result, without cursor codes when it goes to a file", () => {
  const screen = fakeScreen();
  const reporter = plainReporter(screen, { debug: false });
  reporter.event({ type: "machine.console", machine: "m", text: "\u001b[2J\u001b[1;32mhello\u001b[0m\r\n\u0007" });
  expect(screen.sent()).toEqual({ stdout: "hello\n", stderr: "" });
});

test("tty: finished stages stay above a window of what runs and waits", () => {
  const screen = fakeScreen({ isTTY: true });
  const clock = fakeClock();
  const reporter = ttyReporter(screen, { debug: false }, clock);
  for (const event of BUILD) {
    clock.pass(1300);
    reporter.event(event);
  }
  expect(shownLines(screen.sent().stderr)).toEqual([
    `✓ ${"kernel               7.6 MiB  sha256:9f2c00000000".padEnd(69)}  cached`,
    `⠼ ${"initramfs            packing 18.4 MiB / 31.2 MiB".padEnd(70)}  1.3 s`,
    "· uki                  waits for initramfs",
  ]);
  for (const event of END) {
    clock.pass(1300);
    reporter.event(event);
  }
  reporter.close();
  expect(shownLines(screen.sent().stderr)).toEqual([
    `✓ ${"kernel               7.6 MiB  sha256:9f2c00000000".padEnd(69)}  cached`,
    `✓ ${"initramfs            31.2 MiB  sha256:9f2c00000000".padEnd(70)}  4.1 s`,
    `✗ ${"uki                  no stub".padEnd(70)}  12 ms`,
    "2 of 3 stages done",
  ]);
  expect(screen.sent().stderr).toMatch(/\u001b\[\?25h[^\u001b]*$/); // The cursor is back.
});

test("tty: no more lines than the terminal has, none longer than it is wide, at most ten draws a second", () => {
  const screen = fakeScreen({ isTTY: true, columns: 40, rows: 10 });
  const clock = fakeClock();
  const reporter = ttyReporter(screen, { debug: false }, clock);
  for (let i = 0; i < 50; i++)
    reporter.event({ type: "stage.start", stage: `stage-${i}`, key: "", reason: "a very long reason ".repeat(5) });
  clock.pass(100);
  reporter.event({ type: "stage.start", stage: "last", key: "", reason: "" });
  const lines = shownLines(screen.sent().stderr);
  expect(lines.length).toBeLessThanOrEqual(9);
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
  expect(lines.at(-1)).toMatch(/and \d+ more/);
  expect(screen.sent().stderr.split("\u001b[?25l").length).toBe(2);
  reporter.close();
});

test("json: the events themselves, one a line", () => {
  const screen = fakeScreen();
  const reporter = jsonReporter(screen, fakeClock());
  for (const event of BUILD) reporter.event(event);
  const lines = screen.sent().stderr.trim().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(BUILD.map((event) => ({ at: 0, ...event })));
});

test("github: groups and annotations that text cannot break out of", () => {
  const screen = fakeScreen();
  const reporter = githubReporter(screen, { debug: false });
  reporter.event({ type: "build.start", stages: 1 });
  reporter.event({ type: "warning", text: "a\n::error::b" });
  reporter.close();
  expect(screen.sent().stderr).toBe("::group::build, 1 stages\n::warning::a%0A::error::b\n::endgroup::\n");
  expect(errorAnnotation("x\ny", { file: "a,b:c", line: 3, column: 4 })).toBe(
    "::error file=a%2Cb%3Ac,line=3,col=4::x%0Ay\n",
  );
});

test("auto is plain without a terminal, and tty without one is refused", async () => {
  const screen = fakeScreen();
  const choice = { ci: false, github: false, debug: false };
  const reporter = await createReporter(screen, { ...choice, progress: "auto" });
  reporter.event({ type: "note", text: "x" });
  expect(screen.sent().stderr).toBe("x\n");
  await expect(createReporter(screen, { ...choice, progress: "tty" })).rejects.toMatchObject({ code: "USAGE" });
});

const VIEW = { cwd: "/p", debug: false };

test("an error: title, detail, hint, docs", () => {
  const error = new BootwrightError("PROGRAM_FAILED", "cc ended with exit code 1", {
    detail: "a\n\u001b[2Jb",
    hint: "look",
  });
  expect(renderError(fakeScreen(), error, VIEW)).toBe(`✗ PROGRAM_FAILED  cc ended with exit code 1

  │ a
  │ \\x1b[2Jb
  hint  look
  docs  bootwright explain PROGRAM_FAILED
`);
});

test("at most three frames, then the rest in short", () => {
  const source = "a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n";
  const issues = [1, 2, 3, 4, 5].map((line) => ({
    message: `wrong ${line}; did you mean "x"?`,
    location: { file: "/p/c.yaml", line, column: 4, source },
  }));
  const text = renderError(fakeScreen(), new BootwrightError("CONFIG_INVALID", "5 mistakes", { issues }), VIEW);
  expect(text.match(/\^ did you mean "x"\?/g)).toHaveLength(3);
  expect(text).toContain(`  and 2 more:\n\n✗ wrong 4; did you mean "x"?\n  c.yaml:4:4\n`);
});

test("a frame survives places that are not in the text", () => {
  const source = "short\n";
  expect(codeFrame(fakeScreen(), { file: "x", line: 99, column: 7, source })).toEqual([]);
  expect(codeFrame(fakeScreen(), { file: "x", line: 1, column: 999, length: 999, source }).join("\n")).toContain("^");
  expect(codeFrame(fakeScreen(), { file: "x", line: 1 })).toEqual([]);
});

test("mistakes of ours show a stack, and JSON says BUG", () => {
  const error = new TypeError("x is not a function");
  expect(renderError(fakeScreen(), error, VIEW)).toContain("at ");
  expect(errorData(error, VIEW)).toEqual({ code: "BUG", message: "x is not a function" });
});
