/** What EROFS images hold, told by fsck.erofs and dump.erofs: odd trees, whole, and the format's edges. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesFromPath } from "../../src/base/bytes.ts";
import { DigestCounter, digestOf } from "../../src/base/digest.ts";
import { type ErofsImage, type ErofsOptions, encodeErofs } from "../../src/formats/erofs.ts";
import type { FileTree, TreeEntry } from "../../src/formats/filetree.ts";
import { needProgram } from "../support/need-program.ts";
import { content, hashOf, oddTree, own, read, sorted } from "../support/odd-tree.ts";
import { temporaryDir } from "../support/test-session.ts";

const TREES = process.env.BOOTWRIGHT_TEST_FULL ? 200 : 12;
const EPOCH = 1_700_000_000;

const encode = (tree: FileTree, options: Partial<ErofsOptions> = {}): ErofsImage =>
  encodeErofs(tree, { read, seed: "test", epoch: EPOCH, ...options });

function writeImage(image: ErofsImage, dir: string): string {
  const file = path.join(dir, "image");
  const fd = fs.openSync(file, "w");
  try {
    let end = 0;
    for (const { offset, bytes } of image.writes()) {
      expect(offset).toBeGreaterThanOrEqual(end);
      end = offset + bytes.length;
      fs.writeSync(fd, bytes, 0, bytes.length, offset);
    }
    expect(end).toBeLessThanOrEqual(image.size);
    fs.ftruncateSync(fd, image.size);
  } finally {
    fs.closeSync(fd);
  }
  return file;
}

function tool(program: "fsck.erofs" | "dump.erofs", args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(needProgram(program, "erofs-utils"), args, { encoding: "utf8" });
  expect([program, status, stderr]).toEqual([program, 0, ""]);
  return stdout;
}

/** Only root may make devices and give files away: those are read through the kernel (erofs-kernel.test.ts). */
const extractable = (tree: FileTree): FileTree => tree.filter(({ type }) => type !== "char" && type !== "block");

/** A tree that a program has written out, and ours, in the same words. */
function listed(dir: string): unknown[] {
  const out: unknown[] = [];
  const walk = (at: Buffer, below: string): void => {
    for (const name of fs.readdirSync(at, { encoding: "buffer" }).sort(Buffer.compare)) {
      const file = Buffer.concat([at, Buffer.from("/"), name]);
      const entry = `${below}/${name.toString("latin1")}`;
      const stat = fs.lstatSync(file);
      if (stat.isSymbolicLink()) out.push([entry, "symlink", fs.readlinkSync(file, { encoding: "latin1" })]);
      else if (stat.isDirectory()) {
        out.push([entry, "directory"]);
        walk(file, entry);
      } else if (stat.isFile()) out.push([entry, "file", digestOf(fs.readFileSync(file)).hash]);
      else out.push([entry, stat.isFIFO() ? "fifo" : "socket"]);
    }
  };
  walk(Buffer.from(dir), "");
  return out.sort(byPath);
}

const expected = (tree: FileTree): unknown[] =>
  tree
    .filter((entry) => entry.path !== "")
    .map((entry) => {
      const name = `/${bytesFromPath(entry.path).toString("latin1")}`;
      if (entry.type === "file") return [name, "file", hashOf(entry.content)];
      if (entry.type === "symlink") return [name, "symlink", bytesFromPath(entry.target).toString("latin1")];
      return [name, entry.type];
    })
    .sort(byPath);

const byPath = (a: unknown, b: unknown): number => ((a as string[])[0]! < (b as string[])[0]! ? -1 : 1);

function expectReadBack(tree: FileTree): void {
  const dir = temporaryDir();
  const image = writeImage(encode(tree), dir);
  tool("fsck.erofs", [image]);
  const some = extractable(tree);
  const other = writeImage(encode(some), dir);
  const out = path.join(dir, "out");
  tool("fsck.erofs", [`--extract=${out}`, "--no-preserve", other]);
  expect(listed(out)).toEqual(expected(some));
  fs.rmSync(dir, { recursive: true });
}

describe("encodeErofs", () => {
  it(`writes odd trees that read back equal (${TREES} of them)`, () => {
    fc.assert(fc.property(oddTree, expectReadBack), {
      numRuns: TREES,
      ...(TREES < 100 && { endOnFailure: true }),
    });
  }, 900_000);

  it("writes directories of any size, names on both sides of the dots, ends of every length", () => {
    const entries: TreeEntry[] = [
      { ...own, type: "directory", path: "wide", mode: 0o755 },
      ...Array.from(
        { length: 20_000 },
        (_, i): TreeEntry => ({
          ...own,
          type: "file",
          path: `wide/${"w".repeat(i % 200)}-${i}`,
          content: content(1, 0),
        }),
      ),
      { ...own, type: "directory", path: "dots", mode: 0o755 },
      ...["!", "-", "+", ".", "..", "...", "a"]
        .filter((name) => name !== "." && name !== "..")
        .map((name): TreeEntry => ({ ...own, type: "file", path: `dots/${name}`, content: content(2, 3) })),
      ...Array.from(
        { length: 260 },
        (_, i): TreeEntry => ({ ...own, type: "file", path: `end-${i}`, content: content(i, 3900 + i) }),
      ),
      ...[4030, 4032, 4064, 4065, 4095].map(
        (length): TreeEntry => ({ ...own, type: "symlink", path: `link-${length}`, target: "t".repeat(length) }),
      ),
    ];
    expectReadBack(sorted(entries));
  }, 120_000);

  it("leaves room behind the last inode, wherever it stands", () => {
    const dir = temporaryDir();
    for (let count = 50; count < 64; count++) {
      const entries = Array.from(
        { length: count },
        (_, i): TreeEntry => ({ ...own, type: "fifo", path: `f${i}`, mtime: 1 }),
      );
      tool("fsck.erofs", [writeImage(encode(sorted(entries)), dir)]);
    }
  });

  it("gives the same bytes for the same input, other bytes for another seed", () => {
    const bytes = (tree: FileTree, seed: string) => {
      const sum = new DigestCounter();
      for (const write of encode(tree, { seed }).writes()) {
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

  it("says label, UUID and number of inodes; packs small files into one block", () => {
    const small = Array.from(
      { length: 20 },
      (_, i): TreeEntry => ({ ...own, type: "file", path: `f${i}`, content: content(i, 100) }),
    );
    const image = encode(sorted(small), { label: "root-a" });
    expect(image.size).toBe(3 * 4096);
    const said = tool("dump.erofs", ["-s", writeImage(image, temporaryDir())]);
    expect(
      Buffer.concat([...image.writes()].map(({ bytes }) => Buffer.from(bytes))).toString("latin1", 1088, 1095),
    ).toBe("root-a\0");
    expect(said).toMatch(/Filesystem inode count:\s+21/);
    expect(said).toContain(image.uuid);
    expect(said).toMatch(/Filesystem blocks:\s+3/);
  });

  it("keeps an attribute that many have once", () => {
    const label = { name: "security.selinux", value: Buffer.from("system_u:object_r:usr_t:s0\0") };
    const file = (i: number, xattrs: TreeEntry["xattrs"]): TreeEntry => ({
      ...own,
      type: "file",
      path: `f${i}`,
      content: content(i, 0),
      ...(xattrs && { xattrs }),
    });
    const files = (xattr: (i: number) => TreeEntry["xattrs"]) =>
      encode(sorted(Array.from({ length: 2000 }, (_, i) => file(i, xattr(i))))).size;
    const none = files(() => undefined);
    const [shared, apart] = [
      files(() => [label]),
      files((i) => [{ ...label, value: Buffer.from(`${i}`.padStart(28)) }]),
    ];
    expect(shared - none).toBeLessThanOrEqual(2000 * 32 + 3 * 4096);
    expect(apart).toBeGreaterThan(shared + 2000 * 32 * 0.9);
  });

  it.each([
    ["a name", { path: "n".repeat(256) }, "LIMIT_EXCEEDED"],
    ["an owner", { uid: 2 ** 32 }, "LIMIT_EXCEEDED"],
    ["a device", { type: "char", major: 4096, minor: 0 }, "LIMIT_EXCEEDED"],
    ["a target", { type: "symlink", target: "t".repeat(4096) }, "LIMIT_EXCEEDED"],
    ["an attribute's value", { xattrs: [{ name: "user.a", value: Buffer.alloc(65_536) }] }, "LIMIT_EXCEEDED"],
    ["an attribute's name", { xattrs: [{ name: "btrfs.x", value: Buffer.alloc(1) }] }, "UNSUPPORTED"],
  ] as const)("refuses %s that the format does not hold", (_, change, code) => {
    const entry = { ...own, type: "file", path: "file", content: content(1, 1), ...change } as unknown as TreeEntry;
    expect(() => encode(sorted([entry]))).toThrow(expect.objectContaining({ code }));
  });

  it("refuses a label that is too long, a tree that is none, and a content of another size", () => {
    expect(() => encode(sorted([]), { label: "x".repeat(17) })).toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
    const file: TreeEntry = { ...own, type: "file", path: "a/b", content: content(1, 5) };
    expect(() => encode(sorted([file]))).toThrow("no directory in the tree holds a/b");
    const image = encode(sorted([{ ...file, path: "a" }]), { read: () => [Buffer.alloc(4)] });
    expect(() => [...image.writes()]).toThrow("a: wrote 4 of 5 bytes");
  });
});
