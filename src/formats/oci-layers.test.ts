import { describe, expect, it } from "vitest";
import { dir, file, symlink } from "../../test/support/oci-layout.ts";
import { comparePaths } from "../base/bytes.ts";
import type { FileTree, TreeEntry } from "./filetree.ts";
import { applyOciLayers } from "./oci-layers.ts";

const layer = (entries: readonly TreeEntry[], links: [string, string][] = []) => ({
  tree: [...entries].sort((a, b) => comparePaths(a.path, b.path)),
  links,
  what: "layer",
});
const apply = (...layers: readonly (readonly TreeEntry[])[]): FileTree =>
  applyOciLayers(layers.map((one) => layer(one)));
const paths = (tree: FileTree) => tree.map(({ path }) => path).slice(1);
const at = (tree: FileTree, path: string) => tree.find((entry) => entry.path === path);
const hashOf = (tree: FileTree, path: string) => (at(tree, path) as { content: { hash: string } }).content.hash;
const hash = (text: string) => hashOf([file("x", text)], "x");
const hide = (path: string) => file(path, "");

describe("whiteouts", () => {
  it("hide a file, or a directory with all below it", () => {
    const base = [dir("d"), dir("d/e"), file("d/e/f", "1"), file("d/g", "1"), file("h", "1")];
    expect(paths(apply(base, [hide(".wh.h"), hide("d/.wh.e")]))).toEqual(["d", "d/g"]);
    expect(paths(apply(base, [hide(".wh.d")]))).toEqual(["h"]);
  });
  it("hide nothing that is not there", () => {
    expect(paths(apply([file("a", "1")], [hide(".wh.b"), hide("c/.wh.d"), hide("a/.wh.e")]))).toEqual(["a"]);
  });
  it("never hide what their own layer has", () => {
    const tree = apply([dir("d"), file("d/old", "1")], [hide(".wh.d"), dir("d"), file("d/new", "2")]);
    expect(paths(tree)).toEqual(["d", "d/new"]);
    expect(paths(apply([file("a", "1")], [file("a", "2"), hide(".wh.a")]))).toEqual(["a"]);
  });
  it("act by layer, so that a file can come back", () => {
    const tree = apply([file("a", "1")], [hide(".wh.a")], [file("a", "3")]);
    expect(hashOf(tree, "a")).toBe(hash("3"));
  });
  it("refuse to name a directory's own entries", () => {
    for (const name of [".wh.", ".wh..", ".wh..."]) expect(() => apply([hide(name)])).toThrow("names no file");
  });
  it("leave AUFS's own bookkeeping out", () => {
    expect(paths(apply([dir(".wh..wh.plnk"), file(".wh..wh.plnk/1", "x"), file("a", "1")]))).toEqual(["a"]);
  });
});

describe("an opaque directory", () => {
  it("hides what layers below have in it, and nothing else", () => {
    const base = [dir("d", { mode: 0o700 }), file("d/a", "1"), dir("d/s"), file("d/s/b", "1"), file("e", "1")];
    const tree = apply(base, [dir("d"), hide("d/.wh..wh..opq"), file("d/c", "2"), file("d/s/n", "2")]);
    expect(paths(tree)).toEqual(["d", "d/c", "d/s", "d/s/n", "e"]);
    expect(at(tree, "d")?.mode).toBe(0o755);
  });
  it("may be the root", () => {
    expect(paths(apply([file("a", "1")], [hide(".wh..wh..opq"), file("b", "2")]))).toEqual(["b"]);
  });
  it("that replaces a link does not empty what the link led to", () => {
    const tree = apply(
      [dir("real"), file("real/a", "1"), symlink("d", "real")],
      [dir("d"), hide("d/.wh..wh..opq"), file("d/b", "2")],
    );
    expect(paths(tree)).toEqual(["d", "d/b", "real", "real/a"]);
  });
});

describe("later layers", () => {
  it("give directories their mode, owner and attributes", () => {
    const xattrs = [{ name: "user.x", value: Buffer.from("1") }];
    const tree = apply([dir("d", { xattrs }), file("d/a", "1")], [dir("d", { mode: 0o1777, uid: 5 }), dir("")]);
    expect(at(tree, "d")).toMatchObject({ mode: 0o1777, uid: 5 });
    expect(at(tree, "d")).not.toHaveProperty("xattrs");
    expect(paths(tree)).toEqual(["d", "d/a"]);
  });
  it("replace a file by a directory, a directory by a file, a link by a directory", () => {
    const base = [file("a", "1"), dir("b"), file("b/c", "1"), symlink("l", "b")];
    const tree = apply(base, [dir("a"), file("a/x", "2"), file("b", "2"), dir("l")]);
    expect(tree.slice(1).map(({ path, type }) => `${path} ${type}`)).toEqual([
      "a directory",
      "a/x file",
      "b file",
      "l directory",
    ]);
  });
  it("write through the links that lower layers have, inside the tree", () => {
    const tree = apply(
      [dir("usr"), dir("usr/lib"), symlink("lib", "../../usr/lib"), symlink("out", "/usr")],
      [file("lib/a", "2"), file("out/b", "2"), file("new/deep/c", "2")],
    );
    expect(paths(tree)).toEqual([
      "lib",
      "new",
      "new/deep",
      "new/deep/c",
      "out",
      "usr",
      "usr/b",
      "usr/lib",
      "usr/lib/a",
    ]);
  });
  it("cannot lie below a file, a dead link or a loop", () => {
    expect(() => apply([file("a", "1")], [file("a/b", "2")])).toThrow("/a is to be a directory, but it is a file");
    expect(() => apply([symlink("a", "nowhere")], [file("a/b", "2")])).toThrow(
      "/a is to be a directory, but it is a symlink",
    );
    expect(() => apply([symlink("a", "b"), symlink("b", "a")], [file("a/c", "2")])).toThrow("loop");
    const deep = Array(2000).fill("d").join("/");
    expect(() => apply([dir(deep), symlink("s", deep)], [dir(`s/${deep}`)])).toThrow("longer than 4095");
  });
});

describe("hard links", () => {
  const base = layer([file("a", "1"), file("b", "1", { mode: 0o4755 })]);
  it("join names of different layers", () => {
    const tree = applyOciLayers([base, layer([], [["c", "b"]])]);
    expect(at(tree, "c")).toMatchObject({ link: 1, mode: 0o4755 });
    expect(at(tree, "b")).toMatchObject({ link: 1 });
    expect(at(tree, "a")).not.toHaveProperty("link");
  });
  it("keep the old content when the other name is replaced or hidden", () => {
    const replaced = applyOciLayers([base, layer([file("a", "2")], [["c", "a"]])]);
    expect([hashOf(replaced, "a"), hashOf(replaced, "c")]).toEqual([hash("2"), hash("1")]);
    const moved = applyOciLayers([base, layer([hide(".wh.a")], [["c", "a"]])]);
    expect(paths(moved)).toEqual(["b", "c"]);
    expect(at(moved, "c")).not.toHaveProperty("link");
  });
  it("of one layer stay one file, of two layers with the same number two", () => {
    const pair = (x: string, y: string) => layer([file(x, "1", { link: 1 }), file(y, "1", { link: 1 })]);
    const tree = applyOciLayers([pair("a", "c"), pair("b", "d")]);
    expect(tree.slice(1).map((entry) => (entry as { link: number }).link)).toEqual([1, 2, 1, 2]);
  });
  it("pass through links to their target, and fail without one", () => {
    const lower = layer([dir("usr"), file("usr/a", "1"), symlink("u", "usr")]);
    expect(at(applyOciLayers([lower, layer([], [["b", "u/a"]])]), "b")).toMatchObject({ link: 1 });
    expect(() => applyOciLayers([base, layer([], [["c", "gone"]])])).toThrow("/c points to /gone");
    expect(() => applyOciLayers([lower, layer([], [["c", "usr"]])])).toThrow("/c points to /usr");
  });
});
