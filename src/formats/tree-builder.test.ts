import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { comparePaths } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import type { FileTree, TreeEntry } from "./filetree.ts";
import { type AddOptions, plainDirectory, TreeBuilder } from "./tree-builder.ts";

const owner = { uid: 0, gid: 0 };
const file = (path: string, text = path, more: object = {}): TreeEntry => ({
  type: "file",
  path,
  mode: 0o644,
  ...owner,
  content: digestOf(text),
  ...more,
});
const link = (path: string, target: string): TreeEntry => ({ type: "symlink", path, mode: 0o777, ...owner, target });
const dir = (path: string, mode = 0o755): TreeEntry => ({ ...plainDirectory(path), mode });

function build(...layers: (readonly [tree: FileTree, options?: Partial<AddOptions>])[]): FileTree {
  const builder = new TreeBuilder();
  for (const [i, [tree, options]] of layers.entries()) builder.addTree(tree, { origin: `layer ${i}`, ...options });
  return builder.build();
}
const paths = (tree: FileTree) => tree.map((entry) => entry.path);

describe("layers", () => {
  it("get the directories they need, and come out sorted by bytes", () => {
    expect(paths(build([[file("z"), file("a/b/c"), file("a.b"), file("é")]]))).toEqual([
      "",
      "a",
      "a.b",
      "a/b",
      "a/b/c",
      "z",
      "é",
    ]);
  });

  it("replace files of earlier ones; directories keep what they have", () => {
    const tree = build(
      [[dir("d", 0o700), file("d/f", "old"), file("d/kept")]],
      [[dir("d"), file("d/f", "new"), link("d/l", "f")]],
    );
    expect(tree.slice(1)).toEqual([dir("d", 0o700), file("d/f", "new"), file("d/kept"), link("d/l", "f")]);
  });

  it("that own their directories change them", () => {
    const tree = build([[dir("d", 0o700)]], [[dir("d", 0o1777)], { ownDirectories: true }]);
    expect(tree[1]).toEqual(dir("d", 0o1777));
  });

  it.each<[what: string, first: TreeEntry[], second: TreeEntry[]]>([
    ["a file over a directory", [file("x/y")], [file("x")]],
    ["a link over a directory", [dir("x")], [link("x", "y")]],
    ["a directory over a file", [file("x")], [dir("x")]],
    ["a file below a file", [file("x")], [file("x/y")]],
  ])("do not turn %s", (_, first, second) => {
    expect(() => build([first], [second])).toThrow(
      expect.objectContaining({ code: "TREE_CONFLICT", message: expect.stringContaining("layer 1 makes /x") }),
    );
  });
});

describe("links of the tree", () => {
  it("are followed, as by an unpacker", () => {
    const merged = [dir("usr/lib"), link("lib", "usr/lib")];
    expect(paths(build([merged], [[dir("lib"), file("lib/x.so")]]))).toEqual([
      "",
      "lib",
      "usr",
      "usr/lib",
      "usr/lib/x.so",
    ]);
  });

  it("may lead anywhere inside, and never outside", () => {
    const links = [link("up", "../../../etc"), link("abs", "/var/tmp"), link("a/b", "../c/./d//")];
    const tree = build([links], [[file("up/passwd"), file("abs/f"), file("a/b/g")]]);
    expect(paths(tree)).toEqual([
      "",
      "a",
      "a/b",
      "abs",
      "c",
      "c/d",
      "c/d/g",
      "etc",
      "etc/passwd",
      "up",
      "var",
      "var/tmp",
      "var/tmp/f",
    ]);
  });

  it("are replaced, not followed, when a file of their own name comes", () => {
    expect(build([[link("etc/conf", "/etc/passwd")]], [[file("etc/conf")]]).at(-1)).toEqual(file("etc/conf"));
  });

  it("stay when a directory of their name comes, if they lead to one", () => {
    expect(paths(build([[dir("b"), link("a", "b")]], [[dir("a"), file("a/f")]]))).toEqual(["", "a", "b", "b/f"]);
    expect(() => build([[file("b"), link("a", "b")]], [[dir("a")]])).toThrow(
      expect.objectContaining({ code: "TREE_CONFLICT" }),
    );
  });

  it("in a loop are refused", () => {
    for (const loop of [[link("a", "b"), link("b", "a")], [link("a", "a")], [link("a", "a/a")]])
      expect(() => build([loop], [[file("a/f")]])).toThrow(expect.objectContaining({ code: "PATH_UNSAFE" }));
  });

  it("in a chain as long as the kernel follows are not", () => {
    const chain = Array.from({ length: 39 }, (_, i) => link(`l${i}`, `l${i + 1}`));
    expect(paths(build([[dir("l39"), ...chain]], [[file("l0/f")]]))).toContain("l39/f");
  });
});

describe("placement", () => {
  const tree = [dir(""), dir("top"), dir("top/sub"), file("top/sub/f"), file("top/g")];

  it.each<[options: Partial<AddOptions>, expected: string[]]>([
    [{ to: "/opt/x" }, ["", "opt", "opt/x", "opt/x/top", "opt/x/top/g", "opt/x/top/sub", "opt/x/top/sub/f"]],
    [{ strip: 1 }, ["", "g", "sub", "sub/f"]],
    [{ strip: 2, to: "o" }, ["", "o", "o/f"]],
    [{ subdir: "top/sub" }, ["", "f"]],
    [{ subdir: "top", strip: 1, to: "/o" }, ["", "o", "o/f"]],
    [{ subdir: "to" }, [""]],
  ])("%j", (options, expected) => {
    expect(paths(build([tree, options]))).toEqual(expected);
  });

  it("of a lone file is its new name", () => {
    expect(paths(build([[file("")], { to: "/etc/motd" }]))).toEqual(["", "etc", "etc/motd"]);
  });

  it("outside of the tree is refused", () => {
    expect(() => build([tree, { to: "/../x" }])).toThrow(expect.objectContaining({ code: "PATH_UNSAFE" }));
  });
});

describe("hard links", () => {
  it("are numbered anew: groups of two layers are two", () => {
    const group = (a: string, b: string) => [file(a, "x", { link: 7 }), file(b, "x", { link: 7 })];
    const tree = build([group("c", "d")], [group("a", "b")]);
    expect(tree.slice(1).map((entry) => [entry.path, "link" in entry && entry.link])).toEqual([
      ["a", 1],
      ["b", 1],
      ["c", 2],
      ["d", 2],
    ]);
  });

  it("of which one is left are no group", () => {
    const tree = build([[file("a", "x", { link: 1 }), file("b", "x", { link: 1 })]], [[file("b", "y")]]);
    expect(tree.slice(1)).toEqual([file("a", "x"), file("b", "y")]);
  });
});

describe("changes", () => {
  it("removes what matches, with all below it", () => {
    const builder = new TreeBuilder();
    builder.addTree([file("a/b/c"), file("a/d"), file("ab")], { origin: "x" });
    expect(builder.remove((path) => path === "a")).toBe(4);
    expect(paths(builder.build())).toEqual(["", "ab"]);
    expect(builder.remove(() => true)).toBe(1);
    expect(paths(builder.build())).toEqual([""]);
  });

  it("updates through links, and tells what is not there", () => {
    const builder = new TreeBuilder();
    builder.addTree([dir("usr/bin"), link("bin", "usr/bin"), file("usr/bin/sh")], { origin: "x" });
    expect(builder.update("bin/sh", (entry) => ({ ...entry, mode: 0o755 }))).toBe(true);
    expect(builder.get("usr/bin/sh")).toMatchObject({ mode: 0o755 });
    expect(builder.update("bin/nothing", (entry) => entry)).toBe(false);
    expect([builder.has("bin/sh"), builder.has("bin/zsh")]).toEqual([true, false]);
  });

  it("of one name of a file are changes of all its names", () => {
    const builder = new TreeBuilder();
    const names = (link: number, ...all: string[]) => all.map((path) => file(path, "x", { link }));
    builder.addTree([...names(1, "a", "b", "d/c"), ...names(2, "e", "f"), file("g", "x")], { origin: "x" });
    builder.update("b", (entry) => ({ ...entry, mode: 0o4755, uid: 7, gid: 8 }));
    const changed = { mode: 0o4755, uid: 7, gid: 8 };
    for (const path of ["a", "b", "d/c"]) expect(builder.get(path)).toEqual(file(path, "x", { link: 1, ...changed }));
    expect(builder.build().filter((entry) => entry.type === "file" && entry.mode === 0o644)).toEqual([
      ...names(2, "e", "f"),
      file("g", "x"),
    ]);
    builder.update("a", ({ path, mode, uid, gid }) => ({ type: "fifo", path, mode, uid, gid }));
    expect([builder.get("a")?.type, builder.get("b")?.type]).toEqual(["fifo", "file"]);
  });
});

it("whatever the layers, the tree is sorted, whole, and every name lies in a directory", () => {
  const name = fc.constantFrom("a", "b", "c", "a/b", "a/c", "b/a", "a/b/c", "c/b");
  const entry = fc.oneof(
    name.map((path) => file(path)),
    name.map((path) => dir(path)),
    fc.tuple(name, fc.constantFrom("a", "../b", "/c", ".", "..", "a/b")).map(([path, target]) => link(path, target)),
  );
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
      const builder = new TreeBuilder();
      for (const one of entries)
        try {
          builder.add(one, { origin: "x" });
        } catch (error) {
          expect(error).toBeInstanceOf(BootwrightError);
        }
      const tree = builder.build();
      expect(paths(tree)).toEqual([...new Set(paths(tree))].sort(comparePaths));
      const directories = new Set(tree.filter(({ type }) => type === "directory").map(({ path }) => path));
      for (const { path } of tree) expect(directories).toContain(path.slice(0, Math.max(0, path.lastIndexOf("/"))));
    }),
    { numRuns: 500 },
  );
});
