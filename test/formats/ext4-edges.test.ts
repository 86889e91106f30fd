/** The edges of the format, one at a time: large directories, large files, sizes, limits. */
import { execFileSync, spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, truncateSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { comparePaths } from "../../src/base/bytes.ts";
import { type Ext4Image, type Ext4Options, encodeExt4 } from "../../src/formats/ext4.ts";
import type { FileContent, FileTree, TreeEntry } from "../../src/formats/filetree.ts";
import { needProgram } from "../support/need-program.ts";
import { fsckComplaint, readImage } from "./ext4-debugfs.ts";

const MIB = 1024 * 1024;
const EPOCH = 1_700_000_000;
const dir = mkdtempSync(path.join(tmpdir(), "bootwright-ext4-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const own = { mode: 0o644, uid: 0, gid: 0 };
const directory = (at: string): TreeEntry => ({ ...own, type: "directory", path: at, mode: 0o755 });
const file = (at: string, size = 0, more: Partial<TreeEntry> = {}): TreeEntry =>
  ({ ...own, type: "file", path: at, content: { hash: "x", size }, ...more }) as TreeEntry;
const sorted = (entries: readonly TreeEntry[]): FileTree =>
  [directory(""), ...entries].sort((a, b) => comparePaths(a.path, b.path));

function* read({ size }: FileContent): Generator<Uint8Array> {
  const chunk = Buffer.alloc(MIB, 0x5a);
  for (let left = size; left > 0; left -= MIB) yield left < MIB ? chunk.subarray(0, left) : chunk;
}

function* readZeros({ size }: FileContent): Generator<Uint8Array> {
  const chunk = Buffer.alloc(16 * MIB);
  for (let left = size; left > 0; left -= chunk.length) yield left < chunk.length ? chunk.subarray(0, left) : chunk;
}

const encode = (entries: readonly TreeEntry[], options: Partial<Ext4Options> = {}): Ext4Image =>
  encodeExt4(sorted(entries), { read, seed: "edges", epoch: EPOCH, ...options });

function written(image: Ext4Image): string {
  const name = path.join(dir, "image");
  const fd = openSync(name, "w");
  try {
    for (const { offset, bytes } of image.writes()) writeSync(fd, bytes, 0, bytes.length, offset);
    ftruncateSync(fd, image.size);
  } finally {
    closeSync(fd);
  }
  return name;
}

/** Checked by e2fsck; gives the file's name. */
function clean(image: Ext4Image): string {
  const name = written(image);
  expect(fsckComplaint(name)).toBeUndefined();
  return name;
}

const text = (program: string, ...args: string[]): string =>
  execFileSync(needProgram(program, "e2fsprogs"), args, {
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 2 ** 28,
  }).toString();

const debugfs = (image: string, command: string): string => text("debugfs", "-R", command, image);
const field = (image: string, name: string): string =>
  new RegExp(`^${name}: +(.*)$`, "m").exec(text("dumpe2fs", "-h", image))![1]!;
const freeBlocks = (image: string): number => Number(field(image, "Free blocks"));

describe("large directories", () => {
  it("indexes 20,000 names in one level", () => {
    const entries = Array.from({ length: 20_000 }, (_, i) => file(`huge/name-${i}`));
    const image = clean(encode([directory("huge"), ...entries]));
    expect(debugfs(image, "stat huge")).toContain("Flags: 0x81000");
    expect(readImage(image, dir, { contents: false })).toHaveLength(20_000 + 3);
    expect(debugfs(image, "htree_dump huge")).toContain("Indirect levels: 0");
  });

  it("indexes long names in two levels", () => {
    const entries = Array.from({ length: 9000 }, (_, i) => file(`${String(i).padStart(5, "0")}${"é".repeat(120)}`));
    const image = clean(encode(entries));
    expect(debugfs(image, "htree_dump /")).toContain("Indirect levels: 1");
    expect(readImage(image, dir, { contents: false })).toHaveLength(9000 + 2);
  });

  it("holds more subdirectories than a link count", () => {
    const image = clean(encode(Array.from({ length: 65_010 }, (_, i) => directory(`d${i}`))));
    expect(debugfs(image, "stat /")).toContain("Links: 1 ");
  }, 300_000);
});

describe("large files", () => {
  it("streams 300 MB in little memory", () => {
    const size = 300_000_001;
    const image = encode([file("big", size), file("small", 5)]);
    let most = 0;
    let sum = 0;
    for (const { bytes } of image.writes()) {
      most = Math.max(most, bytes.length);
      sum += bytes.length;
    }
    expect(most).toBeLessThanOrEqual(MIB);
    expect(sum).toBeGreaterThan(size);
    expect(sum).toBeLessThan(size + MIB);
    const name = clean(image);
    expect(debugfs(name, "stat big")).toContain(`Size: ${size}`);
    debugfs(name, `dump big ${path.join(dir, "big")}`);
    expect(statSync(path.join(dir, "big")).size).toBe(size);
  });

  it("gives a file of many extents a tree, and leaves zeros as holes", () => {
    const image = clean(encode([file("zeros", 3000 * MIB + 1)], { read: readZeros }));
    expect(statSync(image).blocks * 512).toBeLessThan(MIB);
    expect(debugfs(image, "dump_extents zeros")).toMatch(/ 0\/ 1 .*\n( 1\/ 1 .*\n){24}/);
    expect(debugfs(image, "stat zeros")).toContain(`Size: ${3000 * MIB + 1}`);
  });

  it("holds a file of 60 GB in two leaves", () => {
    clean(encode([file("zeros", 60_000 * MIB), file("after", 9)], { read: readZeros, journal: true }));
  }, 300_000);
});

describe("the size", () => {
  it("is the least that fits, and what is free is free", () => {
    const entries = [file("a", 10 * MIB), file("b", 1)];
    const tight = encode(entries);
    expect(freeBlocks(clean(tight))).toBe(0);
    expect(tight.size).toBeLessThan(10.5 * MIB);
    for (const free of [1, 5 * MIB, 400 * MIB]) {
      const left = freeBlocks(clean(encode(entries, { free }))) * 4096 - free;
      expect(left).toBeGreaterThanOrEqual(0);
      expect(left).toBeLessThan(2 * MIB);
    }
  });

  it("can be given, and is kept whatever it is", () => {
    for (const size of [8 * MIB + 5, 128 * MIB + 4096, 129 * MIB, 3000 * MIB, 40_000 * MIB]) {
      const image = encode([file("a", MIB)], { size, journal: size > 100 * MIB });
      expect(image.size).toBe(size);
      expect(statSync(clean(image)).size).toBe(size);
    }
  }, 60_000);

  it("says how much is needed when it is too small, and that is enough", () => {
    const entries = [file("a", 20 * MIB), ...Array.from({ length: 500 }, (_, i) => file(`f${i}`, 10))];
    for (const options of [{}, { journal: true }, { free: 7 * MIB }]) {
      let needed = 0;
      try {
        encode(entries, { ...options, size: 4 * MIB });
      } catch (error) {
        expect(error).toMatchObject({ code: "LIMIT_EXCEEDED" });
        needed = Number(/needs a volume of (\d+) bytes/.exec(String(error))![1]);
      }
      expect(needed).toBeGreaterThan(20 * MIB);
      clean(encode(entries, { ...options, size: needed }));
      expect(() => encode(entries, { ...options, size: needed - 4096 })).toThrow("needs a volume");
    }
    expect(() => encode([], { size: 0 })).toThrow(/needs a volume of \d+ bytes/);
  });

  it("makes room for 100,000 inodes", () => {
    clean(encode(Array.from({ length: 100_000 }, (_, i) => file(`n${i}`))));
  });
});

describe("the volume", () => {
  it("says its label, UUID, times and a journal", () => {
    const image = encode([], { label: "wurzel-größe", journal: true });
    const name = clean(image);
    expect(field(name, "Filesystem volume name")).toBe("wurzel-größe");
    expect(field(name, "Filesystem UUID")).toBe(image.uuid);
    expect(field(name, "Filesystem state")).toBe("clean");
    expect(field(name, "Total journal size")).toBe("4096k");
    expect(field(name, "Maximum mount count")).toBe("-1");
    expect(field(name, "Filesystem created")).toContain("2023");
    clean(encode([], { epoch: 2 ** 33 }));
    expect(field(clean(encode([])), "Filesystem features")).not.toContain("has_journal");
  });

  it("has backups that a repair can start from", () => {
    const name = written(encode([directory("d"), file("d/a", 200 * MIB)], { size: 400 * MIB, journal: true }));
    const fd = openSync(name, "r+");
    writeSync(fd, Buffer.alloc(8192, 0xff), 0, 8192, 0); // Superblock and group descriptors.
    closeSync(fd);
    expect(fsckComplaint(name)).toContain("Superblock invalid");
    // Exit 1: all mended.
    expect(spawnSync(needProgram("e2fsck", "e2fsprogs"), ["-fy", "-b", "32768", "-B", "4096", name]).status).toBe(1);
    expect(fsckComplaint(name)).toBeUndefined();
    expect(debugfs(name, "stat d/a")).toContain(`Size: ${200 * MIB}`);
  });

  it("grows with its disk", () => {
    const entries = [directory("d"), ...Array.from({ length: 2000 }, (_, i) => file(`d/${i}`, 3000))];
    for (const size of [200 * MIB, 40_000 * MIB]) {
      const name = clean(encode(entries, { journal: true }));
      truncateSync(name, size);
      text("resize2fs", name);
      expect(fsckComplaint(name)).toBeUndefined();
      expect(field(name, "Block count")).toBe(String(size / 4096));
      expect(debugfs(name, "stat d/1999")).toContain("Size: 3000");
    }
  });

  it("keeps a lost+found that the tree has", () => {
    const name = clean(encode([{ ...directory("lost+found"), uid: 7 }, file("lost+found/x", 3)]));
    expect(debugfs(name, "stat lost+found")).toMatch(/User: +7 /);
    expect(() => encode([file("lost+found")])).toThrow(expect.objectContaining({ code: "TREE_CONFLICT" }));
  });

  it("stores access lists in their own form, which reads back", () => {
    const entry = (tag: number, perm: number, id = 0xffff_ffff) => {
      const out = Buffer.alloc(8);
      out.writeUInt16LE(tag, 0);
      out.writeUInt16LE(perm, 2);
      out.writeUInt32LE(id, 4);
      return out;
    };
    const entries = [entry(1, 6), entry(2, 7, 1000), entry(4, 4), entry(8, 5, 70_000), entry(16, 7), entry(32, 0)];
    const value = Buffer.concat([Buffer.of(2, 0, 0, 0), ...entries]);
    const acl = { name: "system.posix_acl_access", value };
    const name = clean(
      encode([
        file("a", 0, { xattrs: [acl] }),
        { ...directory("d"), xattrs: [{ ...acl, name: "system.posix_acl_default" }] },
      ]),
    );
    const out = path.join(dir, "acl");
    debugfs(name, `ea_get -f ${out} a system.posix_acl_access`);
    // debugfs gives 0 where nobody is named.
    const shown = execFileSync("od", ["-An", "-v", "-tx1", "-w256", out]).toString().replaceAll(/\s/g, "");
    expect(shown).toBe(value.toString("hex").replaceAll("ffffffff", "00000000"));
    const broken = { name: acl.name, value: Buffer.alloc(9) };
    expect(() => encode([file("a", 0, { xattrs: [broken] })])).toThrow(
      expect.objectContaining({ code: "FORMAT_INVALID" }),
    );
  });

  it("fills the inode and a block with attributes to the last byte", () => {
    const attribute = (name: string, size: number) => ({ name, value: Buffer.alloc(size, 3) });
    // Room in the block: 4096 − 32 of header − 4 of list end − 20 of entry.
    const full = [attribute("user.a", 4040), attribute("user.b", 92 - 8 - 20 + 4)];
    const name = clean(encode([file("a", 0, { xattrs: full }), file("é", 0, { xattrs: [attribute("user.ü", 100)] })]));
    const found = readImage(name, dir, { contents: true }).find((entry) => entry.path === "a")!;
    expect(Object.values(found.xattrs).map((value) => value.length / 2)).toEqual(expect.arrayContaining([4040, 68]));
    const over = [attribute("user.a", 4041), attribute("user.b", 68)];
    expect(() => encode([file("a", 0, { xattrs: over })])).toThrow(/a: its extended attributes take 4 bytes more/);
  });
});

describe("what does not fit", () => {
  const refuse = (entries: readonly TreeEntry[], code = "LIMIT_EXCEEDED") =>
    expect(() => encode(entries)).toThrow(expect.objectContaining({ code }));
  const link = (target: string): TreeEntry => ({ ...own, type: "symlink", path: "l", target });
  const device = (major: number, minor: number): TreeEntry => ({ ...own, type: "char", path: "c", major, minor });

  it("is refused with the path", () => {
    refuse([file("x".repeat(256))]);
    refuse([file("é".repeat(128))]);
    refuse([link("x".repeat(4096))]);
    refuse([device(4096, 0)]);
    refuse([device(0, 2 ** 20)]);
    refuse([file("a", 0, { uid: 2 ** 32 })]);
    refuse([file("a", 0, { gid: -1 })]);
    refuse([file("a", 0, { mtime: 2 ** 34 })]);
    refuse([file("a", 0, { mtime: -(2 ** 31) - 1 })]);
    refuse([file("a", 2 ** 50)]);
    refuse([file("a", 0, { xattrs: [{ name: "system.other", value: Buffer.alloc(0) }] })], "UNSUPPORTED");
    refuse([file("a", 0, { xattrs: [{ name: `user.${"x".repeat(256)}`, value: Buffer.alloc(0) }] })]);
    expect(() => encode([], { label: "seventeen letters" })).toThrow(/at most 16 bytes/);
    expect(() => encode([file("etc-x", 0, { uid: 2 ** 32 })])).toThrow(/etc-x: owner 4294967296/);
  });

  it("refuses too many hard links and too long paths", () => {
    refuse(Array.from({ length: 65_001 }, (_, i) => file(`f${i}`, 1, { link: 1 } as Partial<TreeEntry>)));
    const parts = Array.from({ length: 17 }, () => "x".repeat(250));
    refuse(parts.map((_, i) => directory(parts.slice(0, i + 1).join("/"))));
  });

  it("calls a broken tree our own mistake", () => {
    const bare = (tree: FileTree) => () => encodeExt4(tree, { read, seed: "", epoch: 0 });
    expect(bare([])).toThrow("no root directory");
    expect(bare([directory(""), file("a/b")])).toThrow("no directory in the tree holds a/b");
    expect(bare([directory(""), file("a"), file("a/b")])).toThrow("no directory in the tree holds a/b");
    expect(bare([directory(""), file("b"), file("a")])).toThrow("not sorted");
    expect(bare([directory(""), file("a"), file("a")])).toThrow("not sorted");
    const linked = (at: string, size: number) => file(at, size, { link: 1 } as Partial<TreeEntry>);
    expect(bare([directory(""), linked("a", 1), linked("b", 2)])).toThrow("differs in content from a");
  });

  it("notices a content that is shorter or longer than declared", () => {
    const take = (size: number) => () => {
      for (const _ of encode([file("a", 5)], { read: () => [Buffer.alloc(size, 1)] }).writes());
    };
    expect(take(5)).not.toThrow();
    expect(take(4)).toThrow("a: wrote 4 of 5 bytes");
    expect(take(9000)).toThrow("a: wrote 9000 of 5 bytes");
  });
});
