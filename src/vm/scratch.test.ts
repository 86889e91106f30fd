import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { run } from "../base/process.ts";
import { makeScratch } from "./scratch.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), "bw-test-"));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

test("is there, private, and gone after", () => {
  const scratch = makeScratch(root);
  writeFileSync(path.join(scratch.dir, "file"), "x");
  expect(scratch.dir).toContain(`bootwright-vm-${process.pid}-`);
  scratch.remove();
  expect(existsSync(scratch.dir)).toBe(false);
});

test("sweeps what a killed process left, and nothing else", () => {
  const dead = path.join(root, "bootwright-vm-2147483647-abc");
  const living = path.join(root, `bootwright-vm-${process.pid}-abc`);
  const other = path.join(root, "bootwright-vm-notes");
  for (const dir of [dead, living, other]) mkdirSync(dir);
  makeScratch(root).remove();
  expect([dead, living, other].map((dir) => existsSync(dir))).toEqual([false, true, true]);
});

test("a path that no unix socket can have is refused", () => {
  expect(() => makeScratch(`/${"x".repeat(100)}`)).toThrow("too long for a unix socket");
});

test("goes with a process that just exits", async () => {
  const script = `import { makeScratch } from ${JSON.stringify(path.join(import.meta.dirname, "scratch.ts"))};
    process.stdout.write(makeScratch(${JSON.stringify(root)}).dir);
    process.exit(3);`;
  const { stdout } = await run([process.execPath, "--input-type=module", "-e", script], { accept: [3] });
  expect(stdout.toString()).toContain(root);
  expect(existsSync(stdout.toString())).toBe(false);
});
