/**
 * A Debian root on the ext4 partition of a disk: e2fsck finds nothing to mend, and debugfs reads back every entry, owner, mode,
 * attribute, link count, time and content. In the full set it has more than 50,000 files.
 */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { buildImages } from "../../src/api/build.ts";
import { comparePaths } from "../../src/base/bytes.ts";
import type { FileTree } from "../../src/formats/filetree.ts";
import { readGpt } from "../../src/formats/gpt-reader.ts";
import type { TreeArtifact } from "../../src/store/artifact.ts";
import { openFileSource } from "../../src/store/blob-source.ts";
import { temporaryDir, withProject, writeProject } from "../support/test-session.ts";
import { expectedEntries, fsckComplaint, readImage } from "./ext4-debugfs.ts";

const FULL = process.env.BOOTWRIGHT_TEST_FULL !== undefined;
/** Those of the full set have many files each, and no scripts of note. */
const PACKAGES = ["systemd-sysv", "openssh-server"];
const LARGE = ["golang-1.19-src", "libboost1.74-dev", "linux-headers-amd64", "python3", "git", "manpages-dev"];
const EPOCH = 315_532_800;

const CONFIG = `
name: large
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees: { root: { from: [{ debian: [${(FULL ? [...PACKAGES, ...LARGE] : PACKAGES).join(", ")}] }] } }
initramfs: { init: busybox, root: true }
images:
  uki: { kind: uki, cmdline: root=PARTLABEL=root }
  disk: { kind: disk, esp: [uki], espSize: 64MiB, tree: root }
`;

test(`a Debian root${FULL ? " of more than 50,000 files" : ""}`, { timeout: FULL ? 1_800_000 : 300_000 }, async () => {
  const dir = temporaryDir("ext4-");
  const { tree, disk } = await withProject(writeProject(CONFIG), {}, async (project) => {
    const { built, run } = await buildImages(project, { images: ["disk"] });
    const { outputs } = run.stages.find(({ stage }) => stage === "tree:root")!;
    const tree: FileTree = project.store.getTree(outputs.tree as TreeArtifact);
    return { tree, disk: built[0]!.file };
  });
  const partition = path.join(dir, "root");
  copyPartition(disk, "root", partition);
  expect(fsckComplaint(partition)).toBeUndefined();
  const found = readImage(partition, dir, { contents: true }).filter((entry) => entry.path !== "lost+found");
  found.sort((a, b) => comparePaths(a.path, b.path));
  expect(found.length).toBeGreaterThan(FULL ? 50_000 : 5_000);
  const wanted = new Map(
    expectedEntries(tree, { epoch: EPOCH, hashOf: (content) => content.hash }).map((entry) => [entry.path, entry]),
  );
  expect(found.length).toBe(wanted.size);
  // One by one: what differs is then shown, and not fifty thousand entries.
  for (const { inode: _, size, ...entry } of found)
    expect({ ...entry, ...(entry.sha256 !== undefined && { size }) }).toEqual(wanted.get(entry.path));
});

/** A partition's bytes into a file of its own; what is empty stays a hole. */
function copyPartition(disk: string, name: string, to: string): void {
  using source = openFileSource(disk);
  const { offset, size } = readGpt(source).partitions.find((partition) => partition.name === name)!;
  const fd = fs.openSync(to, "w");
  try {
    const step = 4 * 2 ** 20;
    for (let at = 0; at < size; at += step) {
      const bytes = source.read(offset + at, Math.min(step, size - at));
      if (bytes.some((byte) => byte !== 0)) fs.writeSync(fd, bytes, 0, bytes.length, at);
    }
    fs.ftruncateSync(fd, size);
  } finally {
    fs.closeSync(fd);
  }
}
