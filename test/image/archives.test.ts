/** Trees as tar, SquashFS and EROFS: what independent programs read is what the tree says. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { hashFile } from "../../src/store/blobs.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: archives
epoch: 1000000000
trees:
  root:
    from: [{ dir: ./root }]
    files:
      /: { directory: true, mode: "0750" }
      /dev/console: { device: "c 5 1" }
      /usr/bin/ping: { content: "x", mode: "4755" }
      /tmp: { directory: true, mode: "1777" }
      /etc/mtab: { symlink: ../proc/self/mounts }
    users: { admin: { uid: 1000 } }
images:
  squashfs: { kind: squashfs, tree: root }
  squashfs-xz: { kind: squashfs, tree: root, compress: xz }
  erofs: { kind: erofs, tree: root, label: root }
  tar: { kind: tar, tree: root }
`;

const FILES = { "root/etc/häßlich": "ä\n", "root/empty": "" };

/** Mode, owner and path of every entry; both programs list in the manner of ls -l. */
function listing(argv: readonly string[]): string[] {
  const { stdout, stderr, status } = spawnSync(argv[0]!, argv.slice(1), {
    encoding: "utf8",
    env: { TZ: "UTC", LANG: "C.UTF-8" },
  });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout
    .trim()
    .split("\n")
    .map((line) => {
      const [, mode, owner, date, name] = /^(\S+)\s+(\S+)\s+(?:\d+,\s*)?\d+(?:,\d+)?\s+(\S+ \S+)\s(.*)$/.exec(line)!;
      return `${mode} ${owner} ${date} ${name!.replace(/^(squashfs-root|\.)?\/?/, "").replace(/\/$/, "")}`;
    })
    .sort();
}

const ENTRIES = [
  "-rw------- 0/0 2001-09-09 01:46 etc/shadow",
  "-rw-r--r-- 0/0 2001-09-09 01:46 empty",
  "-rw-r--r-- 0/0 2001-09-09 01:46 etc/group",
  "-rw-r--r-- 0/0 2001-09-09 01:46 etc/häßlich",
  "-rw-r--r-- 0/0 2001-09-09 01:46 etc/passwd",
  "-rwsr-xr-x 0/0 2001-09-09 01:46 usr/bin/ping",
  "crw------- 0/0 2001-09-09 01:46 dev/console",
  "drwx------ 1000/1000 2001-09-09 01:46 home/admin",
  "drwxr-x--- 0/0 2001-09-09 01:46 ",
  "drwxr-xr-x 0/0 2001-09-09 01:46 dev",
  "drwxr-xr-x 0/0 2001-09-09 01:46 etc",
  "drwxr-xr-x 0/0 2001-09-09 01:46 home",
  "drwxr-xr-x 0/0 2001-09-09 01:46 usr",
  "drwxr-xr-x 0/0 2001-09-09 01:46 usr/bin",
  "drwxrwxrwt 0/0 2001-09-09 01:46 tmp",
  "lrwxrwxrwx 0/0 2001-09-09 01:46 etc/mtab -> ../proc/self/mounts",
].sort();

test("a tree as tar and as SquashFS", async () => {
  const built = await buildProject(writeProject(CONFIG, FILES));
  expect(listing([needProgram("tar", "tar"), "--numeric-owner", "--zstd", "-tvf", built.tar!])).toEqual(ENTRIES);
  const unsquashfs = needProgram("unsquashfs", "squashfs-tools");
  expect(listing([unsquashfs, "-lln", built.squashfs!])).toEqual(ENTRIES);
  expect(listing([unsquashfs, "-lln", built["squashfs-xz"]!])).toEqual(ENTRIES);
  expect(spawnSync(unsquashfs, ["-stat", built["squashfs-xz"]!], { encoding: "utf8" }).stdout).toContain(
    "Compression xz",
  );
});

test("a tree as EROFS", async () => {
  const { erofs } = await buildProject(writeProject(CONFIG, FILES));
  const run = (program: string, args: readonly string[]) =>
    spawnSync(needProgram(program, "erofs-utils"), args, { encoding: "utf8", env: { TZ: "UTC" } });
  expect(run("fsck.erofs", [erofs!])).toMatchObject({ status: 0, stderr: "" });
  const about = (file: string) => run("dump.erofs", [`--path=${file}`, erofs!]).stdout;
  expect(about("/")).toMatch(/Uid: 0\s+Gid: 0\s+Access: 0750\/rwxr-x---/);
  expect(about("/home/admin")).toMatch(/Uid: 1000\s+Gid: 1000\s+Access: 0700/);
  expect(about("/usr/bin/ping")).toMatch(/Access: 0755[\s\S]*Timestamp: 2001-09-09 01:46:40/);
});

test("the same bytes from another directory and store, at another time", async () => {
  const first = await buildProject(writeProject(CONFIG, FILES));
  await new Promise((resolve) => setTimeout(resolve, 1100)); // SquashFS keeps whole seconds.
  const again = await buildProject(writeProject(CONFIG, FILES), { storeDir: temporaryDir() });
  for (const name of ["tar", "erofs", "squashfs", "squashfs-xz"])
    expect(hashFile(again[name]!)).toEqual(hashFile(first[name]!));
});
