import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { concatBytes } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import type { FileContent, FileTree, TreeEntry } from "./filetree.ts";
import { encodeNewc } from "./newc.ts";
import { readNewc } from "./newc-reader.ts";

const blobs = new Map<string, Uint8Array>();
const content = (bytes: Uint8Array | string): FileContent => {
  const digest = digestOf(bytes);
  blobs.set(digest.hash, Buffer.from(bytes));
  return digest;
};
const read = (wanted: FileContent) => [blobs.get(wanted.hash)!];
const own = { uid: 0, gid: 0 };
const file = (path: string, text: Uint8Array | string, more: Partial<TreeEntry> = {}): TreeEntry =>
  ({ type: "file", path, mode: 0o644, ...own, content: content(text), ...more }) as TreeEntry;
const encode = (tree: FileTree, mtime = 1) => concatBytes([...encodeNewc(tree, { read, mtime })]);

const sample: FileTree = [
  { type: "directory", path: "", mode: 0o755, ...own },
  { type: "directory", path: "dev", mode: 0o755, ...own },
  { type: "char", path: "dev/console", mode: 0o600, ...own, major: 5, minor: 1 },
  { type: "fifo", path: "dev/pipe", mode: 0o600, ...own },
  file("hard-a", "shared", { link: 1 } as Partial<TreeEntry>),
  file("hard-b", "shared", { link: 1 } as Partial<TreeEntry>),
  { type: "symlink", path: "link", mode: 0o777, ...own, target: "hard-a" },
  file("motd", "hello\n", { uid: 1000, gid: 70000, mode: 0o4755, mtime: 77 }),
  file("ünï", ""),
];

describe("encodeNewc", () => {
  it("writes what the reader reads", () => {
    const bytes = encode(sample);
    expect(bytes.length % 512).toBe(0);
    const { entries, end } = readNewc(bytes);
    expect(end).toBe(bytes.length);
    expect(entries.map((entry) => entry.path)).toEqual(sample.map((entry) => entry.path));
    expect(entries.map((entry) => entry.type)).toEqual(sample.map((entry) => entry.type));
    const motd = entries.find((entry) => entry.path === "motd")!;
    expect(motd).toMatchObject({ uid: 1000, gid: 70000, mode: 0o4755, mtime: 77, size: 6, nlink: 1 });
    expect(bytes.toString("utf8", motd.offset, motd.offset + motd.size)).toBe("hello\n");
    expect(entries.find((entry) => entry.path === "dev/console")).toMatchObject({ major: 5, minor: 1 });
    expect(entries.find((entry) => entry.path === "link")!.target).toBe("hard-a");
  });

  it("gives hard links one inode and the content to the last", () => {
    const [first, last] = readNewc(encode(sample)).entries.filter((entry) => entry.path.startsWith("hard-"));
    expect(first).toMatchObject({ nlink: 2, size: 0 });
    expect(last).toMatchObject({ nlink: 2, size: 6, inode: first!.inode });
  });

  it("numbers inodes by order and gives the same bytes twice", () => {
    expect(readNewc(encode(sample)).entries.map((entry) => entry.inode)).toEqual([1, 2, 3, 4, 5, 5, 6, 7, 8]);
    expect(encode(sample).equals(encode(sample))).toBe(true);
  });

  it("reads several segments, zeros between, and stops at what is not cpio", () => {
    const early = encode([file("early", "ucode")]);
    const both = concatBytes([early, Buffer.alloc(1024), encode(sample), Buffer.from([0x28, 0xb5, 0x2f, 0xfd])]);
    const { entries, end } = readNewc(both);
    expect(entries[0]).toMatchObject({ path: "early", segment: 0 });
    expect(entries.at(-1)!.segment).toBe(1);
    expect(end).toBe(both.length - 4);
  });

  const refuse = (entry: TreeEntry, code: string, mtime = 1) =>
    expect(() => encode([entry], mtime)).toThrow(expect.objectContaining({ code }));

  it("refuses what does not fit, naming the file", () => {
    const huge = { type: "file", path: "big", mode: 0, ...own, content: { hash: "0", size: 2 ** 32 } } as TreeEntry;
    refuse(huge, "LIMIT_EXCEEDED");
    expect(() => encode([huge])).toThrow(/big: 4294967296 bytes/);
    refuse(file("a", "", { uid: 2 ** 32 }), "LIMIT_EXCEEDED");
    refuse(file("a", "", { gid: -1 }), "LIMIT_EXCEEDED");
    refuse(file("a", "", { mtime: -1 }), "LIMIT_EXCEEDED");
    refuse(file("a/".repeat(2100), ""), "LIMIT_EXCEEDED");
    refuse(file("TRAILER!!!", ""), "LIMIT_EXCEEDED");
    refuse({ type: "symlink", path: "s", mode: 0o777, ...own, target: "x".repeat(4096) }, "LIMIT_EXCEEDED");
  });

  it("refuses xattrs unless told to drop them", () => {
    const entry = file("ping", "x", { xattrs: [{ name: "security.capability", value: Buffer.from([1]) }] });
    refuse(entry, "UNSUPPORTED");
    expect([...encodeNewc([entry], { read, mtime: 0, dropXattrs: true })]).toHaveLength(1);
  });

  it("notices a content that is shorter or longer than declared", () => {
    const tree = [file("a", "12345")];
    expect(() => [...encodeNewc(tree, { read: () => [Buffer.alloc(4)], mtime: 0 })]).toThrow("wrote 4 of 5 bytes");
    expect(() => [...encodeNewc(tree, { read: () => [Buffer.alloc(9)], mtime: 0 })]).toThrow("wrote 9 of 5 bytes");
  });

  it("passes large contents through in bounded chunks", () => {
    const big = Buffer.alloc(3 * 1024 * 1024 + 1, 7);
    const chunks = [...encodeNewc([file("big", big), file("small", "x")], { read, mtime: 0 })];
    const { entries } = readNewc(concatBytes(chunks));
    expect(entries.map((entry) => entry.size)).toEqual([big.length, 1]);
  });
});

describe("readNewc on damaged input", () => {
  const bytes = encode(sample);

  it("never does more than throw a coded error, cut at every byte", () => {
    const trailer = bytes.lastIndexOf("TRAILER!!!");
    for (let length = 0; length < bytes.length; length++) {
      try {
        readNewc(bytes.subarray(0, length));
        expect(length).toBeGreaterThanOrEqual(trailer + 11);
      } catch (error) {
        expect(error).toBeInstanceOf(BootwrightError);
      }
    }
  });

  it("survives random bytes and flipped bytes", () => {
    const survives = (input: Uint8Array) => {
      try {
        readNewc(input);
      } catch (error) {
        expect(error).toBeInstanceOf(BootwrightError);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), survives));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const copy = Buffer.from(bytes);
        copy[at] = value;
        survives(copy);
      }),
    );
  });

  const raw = (path: string, text = "x") => encode([{ ...file("placeholder", text), path }]);

  it("refuses names that leave the tree, and doubles", () => {
    for (const path of ["../x", "a/../../x", "/etc/passwd", "n".repeat(256)])
      expect(() => readNewc(raw(path))).toThrow(expect.objectContaining({ code: "PATH_UNSAFE" }));
    expect(() => readNewc(encode([file("a", "1"), file("a", "2")]))).toThrow(/a is there twice/);
  });

  it("refuses a huge declared size without allocating it", () => {
    const copy = raw("a");
    copy.write("ffffffff", 54);
    expect(() => readNewc(copy)).toThrow(/4294967295 bytes, but the data ends/);
  });

  it("round-trips arbitrary trees", () => {
    const name = fc.stringMatching(/^[a-z]{1,20}$/);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, fc.uint8Array({ maxLength: 3000 })), { selector: (x) => x[0] }),
        (files) => {
          const tree = files.map(([path, data]) => file(path, data));
          const archive = encode(tree);
          const { entries } = readNewc(archive);
          expect(entries.map((e) => archive.subarray(e.offset, e.offset + e.size).toString("hex"))).toEqual(
            files.map(([, data]) => Buffer.from(data).toString("hex")),
          );
        },
      ),
      { numRuns: 50 },
    );
  });
});

describe("GNU cpio reads the archive", () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "newc-"));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it("lists and extracts it", () => {
    const cpio = needProgram("cpio", "cpio");
    const ordinary = sample.filter((entry) => entry.type !== "char");
    const input = encode(ordinary);
    const listed = execFileSync(cpio, ["-itv", "--quiet", "--numeric-uid-gid"], { input, encoding: "utf8" });
    expect(listed).toContain("-rwsr-xr-x   1 1000     70000           6 Jan  1  1970 motd");
    expect(listed.trimEnd().split("\n")).toHaveLength(ordinary.length);
    const result = spawnSync(cpio, ["-id", "--quiet", "--no-preserve-owner"], { input, cwd: dir, encoding: "utf8" });
    expect(result.stderr).toBe("");
    expect(readdirSync(dir).sort()).toEqual(["dev", "hard-a", "hard-b", "link", "motd", "ünï"]);
    expect(readFileSync(join(dir, "hard-a"), "utf8")).toBe("shared");
    expect(statSync(join(dir, "hard-a")).ino).toBe(statSync(join(dir, "hard-b")).ino);
  });

  it("writes archives that our reader reads", () => {
    const cpio = needProgram("cpio", "cpio");
    const archive = execFileSync(cpio, ["-o", "-H", "newc", "--quiet"], {
      input: "hard-a\nhard-b\nlink\nmotd\n",
      cwd: dir,
    });
    const { entries } = readNewc(archive);
    expect(entries.map((entry) => [entry.path, entry.size])).toEqual(
      expect.arrayContaining([
        ["hard-a", 0],
        ["hard-b", 6],
        ["motd", 6],
      ]),
    );
  });
});
