import fs from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import type { FileEntry, FileTree, TreeEntry } from "../formats/filetree.ts";
import { materialize, materializedRoot } from "./materialize.ts";
import type { Store } from "./store.ts";

const owner = { uid: 1234, gid: 1234 };
const dir = (at: string, mode = 0o755): TreeEntry => ({ type: "directory", path: at, mode, ...owner });
const link = (at: string, target: string): TreeEntry => ({ type: "symlink", path: at, mode: 0o777, ...owner, target });
const file = (store: Store, at: string, text: string, more: Partial<FileEntry> = {}): TreeEntry => ({
  type: "file",
  path: at,
  mode: 0o644,
  ...owner,
  content: store.blobs.put(text),
  ...more,
});

function unpack(tree: (store: Store) => FileTree): string {
  const store = tempStore();
  const target = path.join(tempDir(), "new", "root");
  materialize(store, tree(store), target);
  return target;
}
const mode = (...parts: string[]) => fs.lstatSync(path.join(...parts)).mode & 0o7777;

describe("materialize", () => {
  it.each([0o000, 0o022, 0o077])("keeps modes under umask %o, but not setuid", (umask) => {
    const before = process.umask(umask);
    onTestFinished(() => void process.umask(before));
    const at = unpack((store) => [
      dir(""),
      dir("open", 0o777),
      dir("shut", 0o500),
      file(store, "shut/inside", "x", { mode: 0o600 }),
      file(store, "su", "x", { mode: 0o4755 }),
      file(store, "unreadable", "x", { mode: 0o000 }),
    ]);
    expect(mode(at, "open")).toBe(0o777);
    expect(mode(at, "shut")).toBe(0o700); // We must be able to remove it.
    expect(mode(at, "shut/inside")).toBe(0o600);
    expect(mode(at, "su")).toBe(0o755);
    expect(mode(at, "unreadable")).toBe(0o000);
  });

  it("writes contents, empty ones too, links, and links that lead nowhere or out", () => {
    const at = unpack((store) => [
      dir(""),
      file(store, "a", "text"),
      file(store, "empty", ""),
      link("l", "a"),
      link("out", "/etc/passwd"),
    ]);
    expect(fs.readFileSync(path.join(at, "l"), "utf8")).toBe("text");
    expect(fs.readFileSync(path.join(at, "empty"), "utf8")).toBe("");
    expect(fs.readlinkSync(path.join(at, "out"))).toBe("/etc/passwd");
  });

  it("makes hard links where the tree has them, and nowhere else", () => {
    const at = unpack((store) => [
      dir(""),
      file(store, "a", "same", { link: 1 }),
      file(store, "b", "same", { link: 1 }),
      file(store, "c", "same"),
    ]);
    const inodes = ["a", "b", "c"].map((name) => fs.statSync(path.join(at, name)).ino);
    expect(inodes[0]).toBe(inodes[1]);
    expect(inodes[0]).not.toBe(inodes[2]);
  });

  it("writes names that are not UTF-8 byte by byte", () => {
    const at = unpack((store) => [dir(""), dir("d\udcff"), file(store, "d\udcff/né \n\udc80", "x")]);
    const [outer] = fs.readdirSync(at, "buffer");
    expect(outer).toEqual(Buffer.from([0x64, 0xff]));
    const [inner] = fs.readdirSync(Buffer.concat([Buffer.from(`${at}/`), outer!]), "buffer");
    expect(inner).toEqual(Buffer.concat([Buffer.from("né \n"), Buffer.of(0x80)]));
  });

  it("reads contents out of packs", () => {
    const at = unpack((store) => {
      const pack = { ...store.blobs.put("..packed.."), offset: 2 };
      return [dir(""), file(store, "f", "", { content: { hash: "a".repeat(64), size: 6, pack } })];
    });
    expect(fs.readFileSync(path.join(at, "f"), "utf8")).toBe("packed");
  });

  it("leaves out what only root could make", () => {
    const at = unpack(() => [
      dir(""),
      { type: "char", path: "null", mode: 0o666, ...owner, major: 1, minor: 3 },
      { type: "fifo", path: "pipe", mode: 0o644, ...owner },
    ]);
    expect(fs.readdirSync(at)).toEqual([]);
  });

  it("never writes through a link of the tree", () => {
    const outside = tempDir();
    for (const name of ["escape/new", "escape/sub/new"])
      expect(() => unpack((store) => [dir(""), link("escape", outside), file(store, name, "x")])).toThrow(
        expect.objectContaining({ code: "PATH_UNSAFE" }),
      );
    expect(fs.readdirSync(outside)).toEqual([]);
  });

  it("a place that cannot be written is an error with a code", () => {
    expect(() => materialize(tempStore(), [dir("")], "/sys/bootwright")).toThrow(
      expect.objectContaining({ code: "ACCESS_DENIED" }),
    );
  });
});

describe("materializedRoot", () => {
  it("unpacks a tree once", () => {
    const store = tempStore();
    const tree = store.putTree([dir(""), file(store, "a", "x")]);
    const root = materializedRoot(store, tree);
    const { ino } = fs.statSync(root);
    expect(materializedRoot(tempStore(store.dir), tree)).toBe(root);
    expect(fs.statSync(root).ino).toBe(ino);
  });

  it("leaves nothing when bytes are missing", () => {
    const store = tempStore();
    const content = store.blobs.put("gone");
    const tree = store.putTree([dir(""), { type: "file", path: "a", mode: 0o644, ...owner, content }]);
    store.blobs.remove(content.hash);
    expect(() => materializedRoot(store, tree)).toThrow(expect.objectContaining({ code: "BLOB_DAMAGED" }));
    expect(fs.readdirSync(path.join(store.dir, "tmp"))).toEqual([]);
    expect(fs.existsSync(path.join(store.dir, "roots", tree.hash))).toBe(false);
  });
});
