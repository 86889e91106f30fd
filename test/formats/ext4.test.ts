/** What ext4 images hold, told by e2fsck and debugfs: odd trees, whole, and the format's edges. */
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { comparePaths, pathFromBytes } from "../../src/base/bytes.ts";
import { DigestCounter, digestOf } from "../../src/base/digest.ts";
import { type Ext4Image, type Ext4Options, encodeExt4 } from "../../src/formats/ext4.ts";
import {
  FILE_TYPE_BITS,
  type FileContent,
  type FileEntry,
  type FileTree,
  parentPath,
  type TreeEntry,
} from "../../src/formats/filetree.ts";
import { fsckComplaint, readImage } from "./ext4-debugfs.ts";

const TREES = process.env.BOOTWRIGHT_TEST_FULL ? 200 : 12;
const EPOCH = 1_700_000_000;
// debugfs takes no blanks in the names of files that it writes.
const dir = mkdtempSync(path.join(tmpdir(), "bootwright-ext4-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const own = { mode: 0o644, uid: 0, gid: 0 };
const root: TreeEntry = { ...own, type: "directory", path: "", mode: 0o755 };
const sorted = (entries: readonly TreeEntry[]): FileTree =>
  [root, ...entries].sort((a, b) => comparePaths(a.path, b.path));

/** A content is told by its seed and size; every third is zeros in its middle. */
const content = (seed: number, size: number): FileContent => ({ hash: `${seed}`, size });

function* read({ hash, size }: FileContent): Generator<Uint8Array> {
  const seed = Number(hash);
  for (let at = 0; at < size; ) {
    const chunk = Buffer.alloc(Math.min(size - at, 10_000 + 300_000 * (seed % 2)), (seed % 255) + 1);
    chunk[0] = at % 251;
    if (seed % 3 === 0) chunk.fill(0, 1);
    yield chunk;
    at += chunk.length;
  }
}

const hashOf = (of: FileContent): string => digestOf(Buffer.concat([...read(of)])).hash;

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

/** What the tree says, in the words of `readImage`. */
function expected(tree: FileTree) {
  const links = new Map<number, number>();
  const subdirectories = new Map<string, number>();
  for (const entry of tree) {
    if (entry.type === "file" && entry.link !== undefined) links.set(entry.link, (links.get(entry.link) ?? 0) + 1);
    if (entry.type === "directory" && entry.path !== "")
      subdirectories.set(parentPath(entry.path), (subdirectories.get(parentPath(entry.path)) ?? 0) + 1);
  }
  return tree.map((entry) => {
    const { path: at, uid, gid, mtime = EPOCH } = entry;
    return {
      path: at,
      mode: entry.mode | FILE_TYPE_BITS[entry.type],
      uid,
      gid,
      links:
        entry.type === "directory"
          ? 2 + (subdirectories.get(at) ?? 0) + (at === "" ? 1 : 0) // lost+found.
          : entry.type === "file" && entry.link !== undefined
            ? links.get(entry.link)!
            : 1,
      times: [mtime, mtime, mtime],
      ...(entry.type === "symlink" && { target: entry.target }),
      ...((entry.type === "char" || entry.type === "block") && { device: `${entry.major}:${entry.minor}` }),
      xattrs: Object.fromEntries(
        (entry.xattrs ?? []).map(({ name, value }) => [name, Buffer.from(value).toString("hex")]),
      ),
      ...(entry.type === "file" && { size: entry.content.size, sha256: hashOf(entry.content) }),
    };
  });
}

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
  expect(plain).toEqual(expected(tree));
  for (const inodes of groups.values()) expect(inodes.size).toBe(1);
}

const bytesName = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((bytes) => pathFromBytes(bytes.map((byte) => (byte === 0 || byte === 10 || byte === 47 ? 65 : byte))));
const name = fc
  .oneof(
    fc.stringMatching(/^[a-z0-9._-]{1,12}$/),
    fc.constantFrom("x".repeat(255), "é".repeat(127), "a b", '"q"', "-n", "\\"),
    bytesName,
  )
  .filter((text) => text !== "." && text !== ".." && text !== "lost+found");
const id = fc.oneof(fc.nat(70_000), fc.constantFrom(0xffff_fffe, 0x1_0000, 0x8000_0000));
const time = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: -(2 ** 31), max: 2 ** 34 - 2 ** 31 - 1 }),
  fc.integer({ min: -1000, max: 2 ** 32 }).map((half) => half / 2 + 0.25),
);
const xattrName = fc.constantFrom(
  "user.a",
  "user.long-name-of-it",
  "trusted.x",
  "security.selinux",
  "security.capability",
);
const xattrs = fc
  .uniqueArray(fc.record({ name: xattrName, value: fc.uint8Array({ maxLength: 700 }) }), {
    selector: (one) => one.name,
  })
  .map((all) => all.sort((a, b) => (a.name < b.name ? -1 : 1)));
const size = fc.oneof(fc.constantFrom(0, 1, 4095, 4096, 4097, 1_000_000), fc.nat(20_000));
const piece = fc.record({
  parent: fc.nat(),
  name,
  mode: fc.nat(0o7777),
  uid: id,
  gid: id,
  mtime: time,
  xattrs: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: xattrs }),
  type: fc.constantFrom(
    "file",
    "file",
    "file",
    "directory",
    "directory",
    "symlink",
    "char",
    "block",
    "fifo",
    "socket",
    "link",
  ),
  size,
  target: fc.integer({ min: 1, max: 4095 }),
  major: fc.oneof(fc.nat(255), fc.nat(4095)),
  minor: fc.oneof(fc.nat(255), fc.nat(1_048_575)),
});

/** Later pieces hang below any directory before them. */
const oddTree = fc.array(piece, { minLength: 1, maxLength: 150, size: "max" }).map((pieces): FileTree => {
  const directories = [""];
  const files: FileEntry[] = [];
  const made = new Map<string, TreeEntry>();
  for (const [i, one] of pieces.entries()) {
    const parent = directories[one.parent % directories.length]!;
    const at = parent === "" ? one.name : `${parent}/${one.name}`;
    if (made.has(at) || Buffer.byteLength(at) > 4000) continue;
    const common = {
      path: at,
      mode: one.mode,
      uid: one.uid,
      gid: one.gid,
      ...(one.mtime !== undefined && { mtime: one.mtime }),
      ...(one.xattrs.length > 0 && { xattrs: one.xattrs }),
    };
    const other = one.type === "link" ? files[one.parent % files.length] : undefined;
    if (other !== undefined) {
      const linked = { ...other, link: other.link ?? i + 1 };
      files[files.indexOf(other)] = linked;
      made.set(linked.path, linked);
      made.set(at, { ...linked, path: at });
    } else if (one.type === "directory") {
      made.set(at, { ...common, type: "directory" });
      directories.push(at);
    } else if (one.type === "symlink")
      made.set(at, { ...common, type: "symlink", target: "é/".repeat(one.target).slice(0, one.target / 2) + "x" });
    else if (one.type === "char" || one.type === "block")
      made.set(at, { ...common, type: one.type, major: one.major, minor: one.minor });
    else if (one.type === "fifo" || one.type === "socket") made.set(at, { ...common, type: one.type });
    else {
      const file: FileEntry = { ...common, type: "file", content: content(i, one.size) };
      files.push(file);
      made.set(at, file);
    }
  }
  return sorted([...made.values()]);
});

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
