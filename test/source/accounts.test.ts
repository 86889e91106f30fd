/** Accounts in addresses of the config: used, and written down nowhere. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { serveDirectory } from "../support/served-directory.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

test("a password is in no lock, no output and no error", async () => {
  const files = temporaryDir();
  fs.mkdirSync(path.join(files, "tree"));
  fs.writeFileSync(path.join(files, "tree/hello"), "hello\n");
  execFileSync("tar", ["-C", files, "-cf", path.join(files, "a.tar"), "tree"]);
  await using served = await serveDirectory(files, { account: "reader:hunter2" });
  const withAccount = (name: string) => served.url(name).replace("://", "://reader:hunter2@");
  const dir = writeProject(`
name: private
trees: { root: { from: [{ archive: "${withAccount("a.tar")}" }] } }
images: { root: { kind: tar, tree: root } }
`);
  const cli = (...args: string[]) =>
    runCli(args, { cwd: dir, store: temporaryDir(), env: { no_proxy: "127.0.0.1", HOME: dir } });
  const built = await cli("build", "--json");
  expect(built.exit, built.stderr).toBe(0);
  const lock = () => fs.readFileSync(path.join(dir, "bootwright.lock"), "utf8");
  expect(lock()).toContain(`file ${served.url("a.tar")}`);

  // A lock of before, with the account in it, is read as this one.
  fs.writeFileSync(path.join(dir, "bootwright.lock"), lock().replace("://", "://reader:hunter2@"));
  const told = [built, await cli("build", "--frozen", "--json"), await cli("plan", "--json")];
  for (const { exit, stderr } of told) expect(exit, stderr).toBe(0);
  expect((await cli("update")).stdout).toBe("");
  expect(lock()).not.toContain("hunter2");

  writeProject(
    `
name: private
trees: { root: { from: [{ archive: "${withAccount("b.tar")}" }, { git: "${withAccount("c.git")}", ref: main }] } }
images: { root: { kind: tar, tree: root } }
`,
    {},
    dir,
  );
  const failed = await cli("build", "--json");
  expect(failed.exit).not.toBe(0);
  for (const { stdout, stderr } of [...told, failed]) expect(stdout + stderr).not.toContain("hunter2");
  expect(lock()).not.toContain("hunter2");
}, 60_000);
