import { spawn } from "node:child_process";
import { once } from "node:events";
import { expect, it } from "vitest";
import { isAlive, processIdentity } from "./lease.ts";

it("this process lives", () => {
  expect(isAlive(processIdentity())).toBe(true);
  expect(processIdentity().pid).toBe(process.pid);
});

it("a process is alive until it ends", async () => {
  const child = spawn("sleep", ["100"]);
  const identity = processIdentity(child.pid!);
  expect(isAlive(identity)).toBe(true);
  child.kill("SIGKILL");
  await once(child, "exit");
  expect(isAlive(identity)).toBe(false);
});

it("the same number with another start or another boot is another process", () => {
  const [boot, start] = processIdentity().boot.split(":");
  expect(start).toMatch(/^\d+$/);
  expect(isAlive({ pid: process.pid, boot: `${boot}:${Number(start) + 1}` })).toBe(false);
  expect(isAlive({ pid: process.pid, boot: `other:${start}` })).toBe(false);
});

it("one that has never lived is not alive", () => {
  expect(isAlive(processIdentity(2 ** 22 + 1))).toBe(false);
});
