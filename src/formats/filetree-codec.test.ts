import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { comparePaths } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { isBootwrightError } from "../base/errors.ts";
import type { FileTree, TreeEntry } from "./filetree.ts";
import { decodeTree, encodeTree } from "./filetree-codec.ts";

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
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        let tree: FileTree;
        try {
          tree = decodeTree(changed);
        } catch (error) {
          return isBootwrightError(error);
        }
        return tree.length === sample.length;
      }),
      { numRuns: 2000 },
    );
  });

  it("survives any names and numbers", () => {
    const entry = fc.record({
      name: fc.string({ unit: "binary", minLength: 1, maxLength: 40 }),
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
          expect(decodeTree(encodeTree(tree))).toEqual(tree);
        },
      ),
    );
  });

  it("does not believe a count", () => {
    const lie = Buffer.concat([encodeTree([]).subarray(0, 8), Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 0x0f])]);
    expect(() => decodeTree(lie)).toThrow("cannot fit");
  });
});
