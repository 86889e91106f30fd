import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { comparePaths } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { isBootwrightError } from "../base/errors.ts";
import type { FileTree, TreeEntry } from "./filetree.ts";
import { decodeTree, encodeTree, numberLinks } from "./filetree-codec.ts";
import { VarintWriter } from "./varint-writer.ts";

const pack = { hash: digestOf("archive").hash, size: 4096, offset: 512 };
const sample: FileTree = [
  { type: "directory", path: "", mode: 0o755, uid: 0, gid: 0 },
  { type: "file", path: "a", mode: 0o4755, uid: 1, gid: 70_000, content: { ...digestOf("x") }, link: 1 },
  { type: "file", path: "b", mode: 0o4755, uid: 1, gid: 70_000, content: { ...digestOf("x") }, link: 1, mtime: -5 },
  { type: "char", path: "console", mode: 0o600, uid: 0, gid: 5, major: 5, minor: 1 },
  {
    type: "file",
    path: "p",
    mode: 0o644,
    uid: 0,
    gid: 0,
    content: { ...digestOf("packed"), pack },
    xattrs: [{ name: "security.capability", value: Buffer.of(0, 255, 1) }],
  },
  { type: "symlink", path: "s\udcff", mode: 0o777, uid: 0, gid: 0, target: "../x\udc80" },
];

const MAGIC = Buffer.from("bwtree\0\x01", "latin1");
const isPath = (text: string) =>
  text.split("/").every((name) => !["", ".", ".."].includes(name) && !name.includes("\0"));

/** One pipe, as a writer without rules would write it. */
function forged({
  path = "x",
  mode = 0,
  flags = 0,
  xattrs,
}: {
  path?: string;
  mode?: number;
  flags?: number;
  xattrs?: string[];
}) {
  const out = new VarintWriter();
  out.bytes(MAGIC);
  for (const number of [0, 1, 6, flags]) out.varint(number);
  out.sized(Buffer.from(path));
  for (const number of [mode, 0, 0]) out.varint(number);
  if (xattrs !== undefined) {
    out.varint(xattrs.length);
    for (const name of xattrs) for (const text of [name, "value"]) out.sized(Buffer.from(text));
  }
  return out.done();
}

/** Files "0", "1", … of ten bytes. */
function forgedFiles({ packs = [], files }: { packs?: string[]; files: { pack?: number; link?: number }[] }) {
  const out = new VarintWriter();
  out.bytes(MAGIC);
  out.varint(packs.length);
  for (const name of packs) {
    out.hex(digestOf(name).hash);
    out.varint(100);
  }
  out.varint(files.length);
  for (const [i, { pack, link }] of files.entries()) {
    out.byte(1);
    out.byte((pack === undefined ? 0 : 4) | (link === undefined ? 0 : 8));
    out.sized(Buffer.from(`${i}`));
    for (const number of [0o644, 0, 0]) out.varint(number);
    out.hex(digestOf("content").hash);
    out.varint(10);
    if (pack !== undefined) for (const number of [pack, 20]) out.varint(number);
    if (link !== undefined) out.varint(link);
  }
  return out.done();
}

describe("file tree encoding", () => {
  it("gives back what it was given", () => {
    expect(decodeTree(encodeTree(sample))).toEqual(sample);
  });

  it("has one digest, which changes only with the format's version", () => {
    expect(digestOf(encodeTree(sample)).hash).toMatchInlineSnapshot(
      `"644537930695707773b2f8b6bc4844bc5cbca746a29690a54a5fb189ce37480f"`,
    );
  });

  it("refuses an unsorted tree", () => {
    expect(() => encodeTree([sample[2]!, sample[1]!])).toThrow("not sorted");
  });

  it("refuses every truncation", () => {
    const bytes = encodeTree(sample);
    for (let length = 0; length < bytes.length; length++)
      expect(() => decodeTree(bytes.subarray(0, length))).toThrow(/file tree/);
  });

  it("is canonical: whatever decodes encodes to the same bytes", () => {
    const bytes = encodeTree(sample);
    for (let at = 0; at < bytes.length; at++)
      for (const flip of [1, 2, 4, 8, 0x80, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= flip;
        let tree: FileTree;
        try {
          tree = decodeTree(changed);
        } catch (error) {
          expect(error).toMatchObject({ code: "FORMAT_INVALID" });
          continue;
        }
        expect(encodeTree(tree).equals(changed)).toBe(true);
      }
  });

  it("is canonical: random damage in several places, too", () => {
    const bytes = encodeTree(sample);
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(damage, (places) => {
        const changed = Buffer.from(bytes);
        for (const [at, value] of places) changed[at] = value;
        let tree: FileTree;
        try {
          tree = decodeTree(changed);
        } catch (error) {
          return isBootwrightError(error);
        }
        return encodeTree(tree).equals(changed);
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[what: string, path: string]>([
    ...["..", "../x", "a/..", "a/../b", ".", "a/./b", "/etc", "a//b", "a/", "/", "a\0b"].map(
      (path) => [path, path] as [string, string],
    ),
    ["of a long name", "n".repeat(256)],
    ["that is too long", `${"d/".repeat(2048)}x`],
  ])("refuses the path %s, reading and writing", (_, path) => {
    expect(() => decodeTree(forged({ path }))).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
    expect(() => encodeTree([{ type: "fifo", path, mode: 0, uid: 0, gid: 0 }])).toThrow(
      expect.objectContaining({ code: "PATH_UNSAFE" }),
    );
  });

  it("takes paths up to the limits", () => {
    for (const path of ["...", "..a", ".a", "a/.b/..c", "n".repeat(255), `${"d/".repeat(2047)}x`])
      expect(decodeTree(forged({ path }))).toEqual([{ type: "fifo", path, mode: 0, uid: 0, gid: 0 }]);
  });

  it.each<[what: string, bytes: Buffer, said: string]>([
    ["a mode with more than permissions", forged({ mode: 0o10000 }), "permission bits"],
    ["an unknown flag", forged({ flags: 16 }), "cannot have these flags"],
    ["a pack of what is no file", forged({ flags: 4 }), "cannot have these flags"],
    ["a link of what is no file", forged({ flags: 8 }), "cannot have these flags"],
    ["no attributes where some are announced", forged({ flags: 2, xattrs: [] }), "announced"],
    ["attributes that are not sorted", forged({ flags: 2, xattrs: ["b", "a"] }), "not sorted"],
    ["an attribute twice", forged({ flags: 2, xattrs: ["a", "a"] }), "not sorted"],
    ["a pack that nothing uses", forgedFiles({ packs: ["a"], files: [{}] }), "no entry points into"],
    ["a pack twice", forgedFiles({ packs: ["a", "a"], files: [{ pack: 0 }, { pack: 1 }] }), "twice"],
    [
      "packs in another order",
      forgedFiles({ packs: ["a", "b"], files: [{ pack: 1 }, { pack: 0 }] }),
      "order of their use",
    ],
    ["a link group of one", forgedFiles({ files: [{ link: 1 }] }), "one member only"],
    ["link group 0", forgedFiles({ files: [{ link: 0 }, { link: 0 }] }), "numbered in order"],
    ["link groups from 2 on", forgedFiles({ files: [{ link: 2 }, { link: 2 }] }), "numbered in order"],
    [
      "link groups in another order",
      forgedFiles({ files: [{ link: 2 }, { link: 1 }, { link: 1 }, { link: 2 }] }),
      "numbered in order",
    ],
  ])("refuses %s", (_, bytes, said) => {
    expect(() => decodeTree(bytes)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
    expect(() => decodeTree(bytes)).toThrow(said);
  });

  it("takes the same by their right numbers", () => {
    const files = [
      { link: 1, pack: 0 },
      { link: 2, pack: 1 },
      { link: 2, pack: 0 },
      { link: 1, pack: 1 },
    ];
    const bytes = forgedFiles({ packs: ["a", "b"], files });
    expect(encodeTree(decodeTree(bytes)).equals(bytes)).toBe(true);
  });

  it("numbers link groups by first appearance, whoever has made them", () => {
    const file = (path: string, link?: number): TreeEntry => ({
      ...{ type: "file", path, mode: 0o644, uid: 0, gid: 0, content: digestOf("x") },
      ...(link !== undefined && { link }),
    });
    const given = [file("a", 9), file("b", 3), file("c", 9), file("d", 5), file("e", 3)];
    const numbered = [file("a", 1), file("b", 2), file("c", 1), file("d"), file("e", 2)];
    expect(decodeTree(encodeTree(given))).toEqual(numbered);
    expect(numberLinks(given)).toEqual(numbered);
    expect(numberLinks(numbered)).toBe(numbered);
  });

  it("refuses to write what it would not read", () => {
    const entry = (more: object): TreeEntry => ({ type: "fifo", path: "x", mode: 0, uid: 0, gid: 0, ...more });
    const value = Buffer.of(1);
    for (const names of [
      ["b", "a"],
      ["a", "a"],
    ])
      expect(() => encodeTree([entry({ xattrs: names.map((name) => ({ name, value })) })])).toThrow("not sorted");
    expect(() => encodeTree([entry({ mode: 0o17777 })])).toThrow(expect.objectContaining({ code: "LIMIT_EXCEEDED" }));
  });

  it("survives any names and numbers", () => {
    const entry = fc.record({
      name: fc.string({ unit: "binary", minLength: 1, maxLength: 40 }).filter(isPath),
      mode: fc.nat(0o7777),
      uid: fc.nat(2 ** 31),
      mtime: fc.option(fc.integer(), { nil: undefined }),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(entry, { selector: (e) => Buffer.from(e.name).toString("hex"), maxLength: 30 }),
        (entries) => {
          const tree: TreeEntry[] = entries
            .map(
              ({ name, mode, uid, mtime }): TreeEntry => ({
                type: "directory",
                path: Buffer.from(name).toString(),
                mode,
                uid,
                gid: 0,
                ...(mtime === undefined ? {} : { mtime }),
              }),
            )
            .sort((a, b) => comparePaths(a.path, b.path));
          const bytes = encodeTree(tree);
          expect(decodeTree(bytes)).toEqual(tree);
          expect(encodeTree(decodeTree(bytes)).equals(bytes)).toBe(true);
        },
      ),
    );
  });

  it("does not believe a count", () => {
    const lie = Buffer.concat([encodeTree([]).subarray(0, 8), Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 0x0f])]);
    expect(() => decodeTree(lie)).toThrow("cannot fit");
  });
});
