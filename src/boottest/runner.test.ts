import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { BuildEvent } from "../base/events.ts";
import { encodePng, type Machine } from "../vm/index.ts";
import { type RunBootTestsOptions, runBootTests } from "./runner.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "bw-test-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const INDEX = JSON.stringify(path.join(import.meta.dirname, "index.ts"));

/** Runs tests given as text against fake machines. */
async function runInline(text: string, options: Partial<RunBootTestsOptions> & { shade?: number } = {}) {
  const file = path.join(dir, "it.boot.ts");
  writeFileSync(file, `import { expect, test } from ${INDEX};\n${text}`);
  const machines: FakeMachine[] = [];
  const events: BuildEvent[] = [];
  const report = await runBootTests({
    files: [file],
    resultsDir: path.join(dir, "results"),
    startMachine: async (image, testOptions) => {
      const machine = new FakeMachine(image ?? "only", options.shade ?? 10);
      machine.memory = testOptions.memory;
      machines.push(machine);
      return machine as unknown as Machine;
    },
    emit: (event) => events.push(event),
    ...options,
  });
  return { report, machines, events, results: report.tests.map(({ name, status }) => `${name}: ${status}`) };
}

/** A machine without a machine: what the runner touches, and no more. */
class FakeMachine {
  readonly console = { text: "hello", raw: "\u001b[1mhello\u001b[0m\r\n", lastLines: () => "hello" };
  readonly events = { all: [{ event: "ready" }] };
  readonly screen;
  readonly ready = Promise.resolve();
  readonly bootedIn = 42;
  readonly name: string;
  memory: number | undefined;
  stopped = 0;

  constructor(name: string, shade: number) {
    this.name = name;
    const png = async () => encodePng({ width: 4, height: 2, rgba: new Uint8Array(32).fill(shade) });
    this.screen = { png, still: png };
  }

  async stop(): Promise<void> {
    this.stopped++;
  }
}

test("runs tests in order, each with its own machine, which is stopped", async () => {
  const { results, machines, report, events } = await runInline(`
    test.use({ memory: 1024 });
    test("passes", async ({ machine }) => expect(machine.name).toBe("only"));
    test("fails", { image: "other", memory: 2048 }, ({ machine }) => expect(machine.name).toBe("only"));
    test.skip("is skipped", () => {});
  `);
  expect(results).toEqual(["passes: passed", "fails: failed", "is skipped: skipped"]);
  expect(machines.map(({ name, stopped, memory }) => [name, stopped, memory])).toEqual([
    ["only", 1, 1024],
    ["other", 1, 2048],
  ]);
  expect(report).toMatchObject({ ok: false, passed: 1, failed: 1, skipped: 1 });
  expect(report.tests[0]?.bootedIn).toBe(42);
  expect(events.map((event) => event.type)).toEqual([
    "test.start",
    "test.done",
    "test.start",
    "test.done",
    "test.done",
  ]);
});

test("a failure keeps console, screen text, events and a picture, and shows the test's own line", async () => {
  const { report } = await runInline('test("fails", () => expect(1).toBe(2));');
  const [result] = report.tests;
  expect(result?.attachments.map((file) => path.basename(file))).toEqual([
    "console.txt",
    "screen.txt",
    "events.jsonl",
    "screenshot.png",
  ]);
  expect(readFileSync(result?.attachments[1] ?? "", "utf8")).toBe("hello\n");
  expect(result?.error?.message).toContain("expected: 2");
  expect(result?.error?.stack?.split("\n")[0]).toMatch(/it\.boot\.ts:2:\d+/);
});

test("a test that does not end fails in its time, and its machine is stopped", async () => {
  const { report, machines } = await runInline('test("hangs", { timeout: 30 }, () => new Promise(() => {}));');
  expect(report.tests[0]?.error?.code).toBe("GUEST_TIMEOUT");
  expect(machines[0]?.stopped).toBe(1);
  expect(report.tests[0]?.attachments.length).toBe(4);
});

test("a machine that does not start fails its test, not the run", async () => {
  const { results, report } = await runInline('test("a", () => {});', {
    startMachine: async () => {
      throw new Error("no such image");
    },
  });
  expect(results).toEqual(["a: failed"]);
  expect(report.tests[0]?.error?.message).toBe("no such image");
});

test("retries are off, and when on a pass after a failure is flaky", async () => {
  const text = 'let n = 0; test("second time", () => expect(++n).toBe(2));';
  expect((await runInline(text)).results).toEqual(["second time: failed"]);
  const { report, machines } = await runInline(text, { retries: 2 });
  expect(report).toMatchObject({ ok: true, flaky: 1 });
  expect(machines).toHaveLength(2);
});

test("a file that does not load is a failure with its reason", async () => {
  const { results, report } = await runInline('throw new Error("typo");');
  expect(results).toEqual(["(the file does not load): failed"]);
  expect(report.tests[0]?.error?.message).toBe("typo");
});

test("selects by name; nothing to run is an error, not a pass", async () => {
  const text = 'test("one", () => {}); test("two", () => {});';
  expect((await runInline(text, { grep: "two" })).results).toEqual(["two: passed"]);
  expect((await runInline(text, { grep: /it\.boot\.ts > one/ })).results).toEqual(["one: passed"]);
  await expect(runInline(text, { grep: "three" })).rejects.toMatchObject({ code: "NAME_UNKNOWN" });
  await expect(runInline("")).rejects.toMatchObject({ code: "USAGE" });
});

test("two tests of one name are refused", async () => {
  const { report } = await runInline('test("a", () => {}); test("a", () => {});');
  expect(report.tests[0]?.error?.message).toContain('two tests named "a"');
});

test("several machines at once, results in order", async () => {
  const { results } = await runInline(
    `const wait = (ms) => new Promise((done) => setTimeout(done, ms));
     test("slow", () => wait(50)); test("quick", () => wait(1)); test("third", () => wait(1));`,
    { workers: 3 },
  );
  expect(results).toEqual(["slow: passed", "quick: passed", "third: passed"]);
});

test("a screen: recorded and failed at first, then compared, then updated", async () => {
  const text = 'test("s", async ({ machine }) => { await expect(machine.screen).toMatch("s.png", { timeout: 20 }); });';
  const first = await runInline(text);
  expect(first.report.tests[0]?.error?.message).toContain("the screen was recorded");
  expect((await runInline(text)).results).toEqual(["s: passed"]);

  const changed = await runInline(text, { shade: 200 });
  expect(changed.report.tests[0]?.error?.message).toContain("differs from s.png in 8 pixels, all within 4x2 at 0,0");
  expect(
    changed.report.tests[0]?.attachments.filter((file) => existsSync(file)).map((file) => path.basename(file)),
  ).toEqual(expect.arrayContaining(["s-expected.png", "s-received.png", "s-diff.png"]));

  expect((await runInline(text, { shade: 200, updateScreens: true })).results).toEqual(["s: passed"]);
  expect((await runInline(text, { shade: 200 })).results).toEqual(["s: passed"]);
});

test("an interrupted run stops and says why", async () => {
  const controller = new AbortController();
  const running = runInline('test("a", () => new Promise(() => {})); test("b", () => {});', {
    signal: controller.signal,
  });
  setTimeout(() => controller.abort(new Error("interrupted")), 100);
  await expect(running).rejects.toThrow("interrupted");
});
