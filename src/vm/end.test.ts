import { expect, test } from "vitest";
import { endOf, type ShutdownCause } from "./end.ts";

const reason = (cause: ShutdownCause, consoleText = "") => endOf(cause, { ms: 1, consoleText, lastWords: "" }).reason;

test.each<[ShutdownCause, string]>([
  [{ shutdown: "guest-shutdown", exit: 0 }, "poweroff"],
  [{ shutdown: "guest-reset", exit: 0 }, "reboot"],
  [{ shutdown: "guest-panic" }, "panic"],
  [{ panicked: true, exit: 0 }, "panic"],
  [{ stopped: true, exit: null }, "stopped"],
  [{ shutdown: "host-qmp-quit", exit: 0 }, "stopped"],
  [{ stopped: true, shutdown: "guest-shutdown" }, "poweroff"],
  [{ exit: 1 }, "failed"],
  [{ exit: null }, "failed"],
  [{ internalError: true, stopped: true, exit: null }, "failed"],
])("%j is %s", (cause, expected) => {
  expect(reason(cause)).toBe(expected);
});

test("a reboot after a panic is a panic, with its cause", () => {
  const consoleText = "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100";
  expect(endOf({ shutdown: "guest-reset" }, { ms: 5, consoleText, lastWords: "" })).toEqual({
    reason: "panic",
    ms: 5,
    detail: "the init process ended (exit code 1): a kernel cannot go on without it",
  });
});

test("a monitor that died tells with its last words", () => {
  expect(endOf({ exit: 1 }, { ms: 5, consoleText: "", lastWords: "out of memory" }).detail).toBe("out of memory");
  expect(endOf({ exit: null }, { ms: 5, consoleText: "", lastWords: "" }).detail).toBe("QEMU ended with a signal");
});
