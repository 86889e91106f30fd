/** What ext4 images hold, told by e2fsck and debugfs: odd trees, whole, and the format's edges. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { comparePaths } from "../../src/base/bytes.ts";
import { DigestCounter } from "../../src/base/digest.ts";
import { type Ext4Image, type Ext4Options, encodeExt4 } from "../../src/formats/ext4.ts";
import type { FileTree } from "../../src/formats/filetree.ts";
import { content, hashOf, oddTree, own, read, sorted } from "../support/odd-tree.ts";
import { expectedEntries, fsckComplaint, readImage } from "./ext4-debugfs.ts";

const TREES = process.env.BOOTWRIGHT_TEST_FULL ? 200 : 12;
const EPOCH = 1_700_000_000;
// debugfs takes no blanks in the names of files that it writes.
const dir = mkdtempSync(path.join(tmpdir(), "bootwright-ext4-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function writeImage(image: Ext4Image, name = "image"): string {
  const file = path.join(dir, name);
  const fd = openSync(file, "w");
  try {
    let end = 0;
    for (const { offset, bytes } of image.writes()) {
      expect(offset).toBeGreaterThanOrEqual(end);
      end = offset + bytes.length;
      writeSync(fd, bytes, 0, bytes.length, offset);
    }
    expect(end).toBeLessThanOrEqual(image.size);
    ftruncateSync(fd, image.size);
  } finally {
    closeSync(fd);
  }
  return file;
}

const encode = (tree: FileTree, options: Partial<Ext4Options> = {}): Ext4Image =>
  encodeExt4(tree, { read, seed: "test", epoch: EPOCH, ...options });

function expectReadBack(tree: FileTree, options: Partial<Ext4Options> = {}): void {
  const file = writeImage(encode(tree, options));
  expect(fsckComplaint(file)).toBeUndefined();
  const found = readImage(file, dir, { contents: true }).filter((entry) => entry.path !== "lost+found");
  found.sort((a, b) => comparePaths(a.path, b.path));
  const groups = new Map<number | string, Set<number>>();
  const plain = found.map(({ inode, size, ...entry }, i) => {
    const source = tree[i];
    if (source?.type === "file" && source.link !== undefined)
      groups.set(source.link, (groups.get(source.link) ?? new Set()).add(inode));
    return { ...entry, ...(entry.sha256 !== undefined && { size }) };
  });
  expect(plain).toEqual(expectedEntries(tree, { epoch: EPOCH, hashOf }));
  for (const inodes of groups.values()) expect(inodes.size).toBe(1);
}

describe("encodeExt4", () => {
  it(`writes odd trees that read back equal (${TREES} of them)`, () => {
    fc.assert(
      fc.property(oddTree, fc.boolean(), fc.nat(40_000_000), (tree, journal, free) =>
        expectReadBack(tree, { journal, free }),
      ),
      { numRuns: TREES, ...(TREES < 100 && { endOnFailure: true }) },
    );
  }, 900_000);

  it("gives the same bytes for the same input, other bytes for another seed", () => {
    const bytes = (tree: FileTree, seed: string) => {
      const sum = new DigestCounter();
      for (const write of encode(tree, { seed, journal: true }).writes()) {
        sum.update(Buffer.from(`${write.offset} `));
        sum.update(write.bytes);
      }
      return sum.digest().hash;
    };
    fc.assert(
      fc.property(oddTree, (tree) => {
        expect(bytes(tree, "one")).toBe(bytes(structuredClone(tree), "one"));
        expect(bytes(tree, "one")).not.toBe(bytes(tree, "two"));
      }),
      { numRuns: 10 },
    );
  });

  it("can be written again and again", () => {
    const image = encode(sorted([{ ...own, type: "file", path: "a", content: content(1, 5000) }]));
    const [first, second] = [1, 2].map(() => [...image.writes()].map(({ offset, bytes }) => [offset, bytes.length]));
    expect(first).toEqual(second);
  });
});
