import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test } from "vitest";
import { BootwrightError } from "./errors.ts";
import { findProgram, HOST_TOOLS, hostToolNames, requireTools } from "./host-tools.ts";

test("finds executable files only, in order", () => {
  const root = mkdtempSync(path.join(tmpdir(), "bw-test-"));
  const [a, b] = [path.join(root, "a"), path.join(root, "b")];
  for (const dir of [a, b]) mkdirSync(dir);
  mkdirSync(path.join(a, "tool"));
  writeFileSync(path.join(b, "tool"), "");
  expect(findProgram("tool", [a, b])).toBeUndefined();
  chmodSync(path.join(b, "tool"), 0o755);
  expect(findProgram("tool", ["/nowhere", a, b])).toBe(path.join(b, "tool"));
  rmSync(root, { recursive: true });
});

test("all that is missing is said at once, with packages and one command", () => {
  const present = new Map([["git", "/usr/bin/git"]]);
  expect(requireTools(["git"], (name) => present.get(name))).toEqual({ git: "/usr/bin/git" });
  const error = (() => {
    try {
      requireTools(["git", "ovmf", "bwrap"], (name) => present.get(name));
    } catch (thrown) {
      return thrown;
    }
    return undefined;
  })();
  expect(error).toBeInstanceOf(BootwrightError);
  expect(error).toMatchObject({
    code: "HOST_TOOL_MISSING",
    message: "this host lacks ovmf, bwrap",
    hint: "bootwright doctor --fix, or: sudo apt-get install -y --no-install-recommends bubblewrap ovmf",
  });
  expect((error as BootwrightError).detail).toContain("bwrap (package bubblewrap): needed to run build programs");
});

test("each use includes the ones before it", () => {
  const [build, boot, all] = [hostToolNames("build"), hostToolNames("boot"), hostToolNames("test")];
  expect(boot).toEqual(expect.arrayContaining([...build]));
  expect(all).toHaveLength(Object.keys(HOST_TOOLS).length);
  expect(build).not.toContain("qemu-system-x86_64");
  expect(boot).not.toContain("cpio");
});
