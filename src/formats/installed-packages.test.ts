import { expect, test } from "vitest";
import type { FileTree } from "./filetree.ts";
import { installedPackages } from "./installed-packages.ts";

/** A tree whose files' contents are found by their paths. */
function treeOf(files: Readonly<Record<string, string>>) {
  const tree: FileTree = Object.keys(files)
    .sort()
    .map((path) => ({ type: "file", path, mode: 0o644, uid: 0, gid: 0, content: { hash: path, size: 1 } }));
  return installedPackages(tree, ({ path }) => Buffer.from(files[path]!));
}

test("dpkg's status: what is installed, not what was removed", () => {
  const stanza = (name: string, status: string) =>
    `Package: ${name}\nStatus: ${status}\nVersion: 1:2-3\nArchitecture: amd64\n`;
  const files = {
    "etc/os-release": 'NAME="Ubuntu"\nID=ubuntu\n',
    "var/lib/dpkg/status": [stanza("a", "install ok installed"), stanza("b", "deinstall ok config-files")].join("\n"),
    "var/lib/dpkg/status.d/c": "Package: c\nVersion: 4\nArchitecture: all\n",
    "var/lib/dpkg/status.d/c.md5sums": "0 usr/bin/c\n",
  };
  expect(treeOf(files)).toEqual([
    { type: "deb", vendor: "ubuntu", name: "a", version: "1:2-3", arch: "amd64" },
    { type: "deb", vendor: "ubuntu", name: "c", version: "4", arch: "all" },
  ]);
});

test("apk's database", () => {
  const text = "C:Q1x\nP:musl\nV:1.2.5-r9\nA:x86_64\nF:lib\nR:P:odd\n\nP:busybox\nV:1\nA:x86_64\n\n";
  expect(treeOf({ "lib/apk/db/installed": text })).toEqual([
    { type: "apk", vendor: "alpine", name: "musl", version: "1.2.5-r9", arch: "x86_64" },
    { type: "apk", vendor: "alpine", name: "busybox", version: "1", arch: "x86_64" },
  ]);
});

test("a tree without a database has none", () => {
  expect(treeOf({ "etc/motd": "hello" })).toEqual([]);
});
