/** `strip`: programs get smaller, and are in all else what they were. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const tree = (strip: boolean) => `
    from: [{ archive: ./programs.tar }]
    strip: ${strip}
    permissions: { /bin/tool: { mode: "4755", uid: 7 } }`;

const CONFIG = `
name: strip
trees:
  whole:${tree(false)}
  small:${tree(true)}
images:
  whole: { kind: tar, tree: whole, compress: none }
  small: { kind: tar, tree: small, compress: none }
`;

let dir = "";
let images: Record<string, string> = {};

beforeAll(async () => {
  // A program with all its symbols, twice, a script, and what only starts like a program.
  const from = temporaryDir();
  fs.mkdirSync(path.join(from, "bin"));
  fs.writeFileSync(
    path.join(from, "tool.c"),
    "int helper(int x) { return x + 1; }\nint main(void) { return helper(41); }\n",
  );
  execFileSync(needProgram("gcc", "build-essential"), ["-g", "-o", "bin/tool", "tool.c"], { cwd: from });
  fs.linkSync(path.join(from, "bin/tool"), path.join(from, "bin/again"));
  fs.writeFileSync(path.join(from, "bin/script"), "#!/bin/sh\necho hello\n", { mode: 0o755 });
  fs.writeFileSync(
    path.join(from, "bin/broken"),
    Buffer.concat([Buffer.from("\x7fELF\x02\x01\x01"), Buffer.alloc(200)]),
  );
  dir = writeProject(CONFIG);
  execFileSync(needProgram("tar", "tar"), ["-cf", path.join(dir, "programs.tar"), "-C", from, "bin"]);
  images = await buildProject(dir);
});

const listing = (name: string): string[] =>
  execFileSync("tar", ["--numeric-owner", "-tvf", images[name]!], { encoding: "utf8" })
    .split("\n")
    .map((line) => line.replace(/^(\S+ \S+) +\d+/, "$1"));

test("owners, modes, names and links stay", () => {
  expect(listing("small")).toEqual(listing("whole"));
  expect(listing("small").join("\n")).toMatch(/^-rwsr-xr-x 7\/0.* bin\/(tool|again)/m);
});

test("the program has no symbols any more, and still does what it did", () => {
  const to = temporaryDir();
  execFileSync("tar", ["-xf", images.small!, "-C", to, "--no-same-owner"]);
  const tool = path.join(to, "bin/tool");
  expect(execFileSync(needProgram("objdump", "binutils"), ["-t", tool], { encoding: "utf8" })).toContain("no symbols");
  expect(() => execFileSync(tool)).toThrow(expect.objectContaining({ status: 42 }));
  expect(fs.readFileSync(path.join(to, "bin/script"), "utf8")).toBe("#!/bin/sh\necho hello\n");
  expect(fs.statSync(path.join(to, "bin/broken")).size).toBe(207);
});

test("a budget counts what is left", async () => {
  const size = Number(
    execFileSync("tar", ["-tvf", images.small!], { encoding: "utf8" }).match(/ (\d+) .*bin\/again/)![1],
  );
  const config = CONFIG.replace("strip: true", `strip: true\n    budget: ${size + 1000}B`);
  const within = writeProject(config, {});
  fs.copyFileSync(path.join(dir, "programs.tar"), path.join(within, "programs.tar"));
  expect((await runCli(["build", "small"], { cwd: within })).exit).toBe(0);
});
