import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { systemClock } from "../base/clock.ts";
import type { BootwrightError } from "../base/errors.ts";
import { BootWatch } from "./boot-watch.ts";
import { Console } from "./console.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watched(from: "firmware" | "kernel" = "firmware", readyPattern?: RegExp) {
  const console = new Console(() => {});
  const failures: BootwrightError[] = [];
  const watch = new BootWatch(console, {
    clock: { ...systemClock, elapsed: () => Date.now() },
    idle: { firmware: 10_000, kernel: 5_000, init: 5_000 },
    name: "m",
    from,
    onPhase: () => {},
    onFailure: (error) => failures.push(error),
    readyPattern,
  });
  const say = (text: string) => console.receive(Buffer.from(text));
  return { watch, failures, say, phases: () => watch.phases.map(({ phase }) => phase) };
}

test("follows firmware, kernel, init and ready", () => {
  const { watch, say, phases } = watched();
  say('BdsDxe: loading Boot0001 "UEFI Misc Device"\r\nBdsDxe: starting Boot0001 "UEFI Misc Device"\r\n');
  expect(phases()).toEqual(["firmware", "kernel"]);
  say("[    0.000000] Linux version 6.1\r\n[    1.200000] Run /init as init pro");
  say("cess\r\n");
  expect(phases()).toEqual(["firmware", "kernel", "init"]);
  watch.ready();
  expect(phases()).toEqual(["firmware", "kernel", "init", "ready"]);
});

test("behind a quiet kernel, the first plain line is userspace's", () => {
  const { say, phases } = watched("kernel");
  say("hello\r\n");
  expect(phases()).toEqual(["kernel", "init"]);
});

test("the caller's pattern makes it ready, over chunk borders", () => {
  const { say, phases } = watched("kernel", /login:/);
  say("host log");
  say("in: ");
  expect(phases().at(-1)).toBe("ready");
});

test("silence for as long as the phase allows is a failure; any sign starts the time anew", () => {
  const { watch, failures, say } = watched();
  vi.advanceTimersByTime(9_000);
  say("SeaBIOS\r\n");
  vi.advanceTimersByTime(9_000);
  watch.sign();
  vi.advanceTimersByTime(9_000);
  expect(failures).toEqual([]);
  vi.advanceTimersByTime(2_000);
  expect(failures.map(({ code, message }) => [code, message])).toEqual([
    ["GUEST_NOT_READY", 'm said nothing for 10 s in phase "firmware"'],
  ]);
});

test("no failure by silence once it is ready, but by a panic still", () => {
  const { watch, failures, say } = watched("kernel");
  watch.ready();
  vi.advanceTimersByTime(60_000);
  say("grep: No init found in the log\r\n");
  vi.advanceTimersByTime(1_000);
  expect(failures).toEqual([]);
  say("[   70.0] Kernel panic - not syncing: Fatal exception\r\n");
  vi.advanceTimersByTime(1_000);
  expect(failures[0]?.code).toBe("GUEST_PANIC");
});

test("a panic waits a moment for the lines that explain it", () => {
  const { failures, say } = watched("kernel");
  say("[    1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\r\n");
  expect(failures).toEqual([]);
  say("[    1.1] CPU: 0 PID: 1\r\n");
  vi.advanceTimersByTime(400);
  expect(failures[0]?.message).toContain("the init process ended (exit code 1)");
  expect(failures[0]?.detail).toContain("CPU: 0 PID: 1");
});

test("a silent machine gets the hint about its console", () => {
  const { failures } = watched("kernel");
  vi.advanceTimersByTime(6_000);
  expect(failures[0]?.hint).toContain("console=ttyS0");
});
