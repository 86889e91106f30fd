/** The program on a Node that is too old: it finds a newer one nearby, or says what is missing. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parse } from "acorn";
import { afterAll, beforeAll, expect, test } from "vitest";

const BIN = path.join(import.meta.dirname, "../../bin/bootwright.js");
/** Makes the Node that runs the tests say that it is an old one; programs that it starts are themselves again. */
const PRETEND_OLD =
  "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'18.20.1'}})";

let dir = "";
beforeAll(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), "old node ä-"));
});
afterAll(() => fs.rmSync(dir, { recursive: true }));

/** A project that has the program installed, and beside it a `node` package of some version. */
function install({ name, node }: { name: string; node?: string }): string {
  const project = path.join(dir, name);
  const modules = path.join(project, "node_modules");
  fs.mkdirSync(path.join(modules, "bootwright/bin"), { recursive: true });
  fs.mkdirSync(path.join(modules, ".bin"));
  fs.copyFileSync(BIN, path.join(modules, "bootwright/bin/bootwright.js"));
  fs.writeFileSync(path.join(modules, "bootwright/package.json"), '{"type":"module"}');
  if (node !== undefined) {
    fs.mkdirSync(path.join(modules, "node/bin"), { recursive: true });
    fs.writeFileSync(path.join(modules, "node/package.json"), JSON.stringify({ version: node }));
    const program = '#!/bin/sh\nshift\necho "node got: $*"\nexit 7\n';
    fs.writeFileSync(path.join(modules, "node/bin/node"), program, { mode: 0o755 });
    fs.symlinkSync("../node/bin/node", path.join(modules, ".bin/node"));
  }
  return project;
}

const start = (project: string) =>
  spawnSync(
    process.execPath,
    ["--import", PRETEND_OLD, path.join(project, "node_modules/bootwright/bin/bootwright.js"), "build", "a b"],
    { cwd: project, encoding: "utf8" },
  );

test("a project's own newer Node takes over, and its exit code is ours", () => {
  const { stdout, status } = start(install({ name: "newer", node: "24.1.0" }));
  expect({ stdout, status }).toEqual({ stdout: "node got: build a b\n", status: 7 });
});

test.each([
  ["none", {}],
  ["one that is too old as well", { node: "22.4.0" }],
])("with %s it says what is missing", (name, more) => {
  const { stdout, stderr, status } = start(install({ name, ...more }));
  expect(status).toBe(4);
  expect(stdout).toBe("");
  expect(stderr).toContain("bootwright needs Node 24 or newer; this is Node 18.20.1");
  expect(stderr).toContain("npm install --save-dev node@24");
});

test("the checkout finds the Node that its development packages bring", () => {
  const { stdout, status } = spawnSync(process.execPath, ["--import", PRETEND_OLD, BIN, "--version"], {
    encoding: "utf8",
  });
  expect({ stdout, status }).toEqual({ stdout: expect.stringMatching(/\d+\.\d+\.\d+/), status: 0 });
});

test("its first file is what an old Node can parse", () => {
  const text = fs.readFileSync(BIN, "utf8");
  expect(() => parse(text, { ecmaVersion: 2020, sourceType: "module", allowHashBang: true })).not.toThrow();
});
