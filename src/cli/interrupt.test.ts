import { afterEach, expect, test } from "vitest";
import { listenForInterrupts } from "./interrupt.ts";

afterEach(() => {
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeAllListeners(name);
});

test("the first interrupt ends work in order, the second at once", () => {
  const left: number[] = [];
  const { signal, exit } = listenForInterrupts((code) => left.push(code));
  expect(exit()).toBeUndefined();
  process.emit("SIGINT");
  expect(signal.reason).toMatchObject({ code: "INTERRUPTED" });
  expect(exit()).toBe(130);
  expect(left).toEqual([]);
  process.emit("SIGINT");
  expect(left).toEqual([130]);
});

test("termination has its own exit code", () => {
  const { exit } = listenForInterrupts(() => {});
  process.emit("SIGTERM");
  expect(exit()).toBe(143);
});
