import fs from "node:fs";
import path from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { BootwrightError } from "../base/errors.ts";
import type { FileTree } from "../formats/filetree.ts";
import { type Artifact, blobArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { linkOutput } from "./output.ts";

function project(store: Store = tempStore()) {
  const out = path.join(tempDir(), "out");
  const target = path.join(out, "hello");
  const link = (artifact: Artifact, at = target) =>
    linkOutput(at, artifact, { store, project: "/p/bootwright.yaml", name: "hello", key: "k" });
  const blob = (text: string) => blobArtifact(store.blobs.put(text));
  const tree = (text: string) => {
    const owner = { uid: 0, gid: 0 };
    const entries: FileTree = [
      { type: "directory", path: "", mode: 0o755, ...owner },
      { type: "file", path: "inside", mode: 0o644, ...owner, content: store.blobs.put(text) },
    ];
    return store.putTree(entries);
  };
  const names = () => fs.readdirSync(out).sort();
  const refs = () => store.db.all<{ kind: string; hash: string }>("SELECT kind, hash FROM refs");
  return { store, out, target, link, blob, tree, names, refs };
}

describe("a file", () => {
  it("is the store's own blob, not a copy", () => {
    const { store, target, link, blob, names } = project();
    const artifact = blob("image");
    link(artifact);
    expect(fs.statSync(target).ino).toBe(fs.statSync(store.blobs.path(artifact.hash)).ino);
    expect(names()).toEqual(["hello"]);
  });

  it("in pieces is the store's own, put together", () => {
    const { store, target, link, refs } = project();
    const blob = store.blobs.put("disk");
    const artifact = store.putExtents({ size: 8, extents: [{ offset: 4, length: 4, blob, from: 0 }] });
    link(artifact);
    expect(fs.readFileSync(target, "latin1")).toBe("\0\0\0\0disk");
    expect(fs.statSync(target).ino).toBe(fs.statSync(path.join(store.dir, "files", artifact.hash)).ino);
    expect(refs()).toEqual([{ kind: "extents", hash: artifact.hash }]);
  });

  it("in pieces goes from the store when another takes its place, unless somebody else has it", () => {
    const { store, out, target, link } = project();
    const pieces = (text: string) => {
      const blob = store.blobs.put(text);
      return store.putExtents({ size: 8, extents: [{ offset: 4, length: 4, blob, from: 0 }] });
    };
    const files = () => fs.readdirSync(path.join(store.dir, "files"));
    const [one, two, three] = [pieces("one!"), pieces("two!"), pieces("3333")];
    link(one);
    link(two);
    expect(files()).toEqual([two.hash]);
    // Somebody has a second name for it.
    fs.linkSync(target, path.join(out, "mine"));
    link(three);
    expect(files().sort()).toEqual([two.hash, three.hash].sort());
    // Another project's output, whose own copy is gone.
    linkOutput(target, three, { store, project: "/other", name: "disk", key: "k" });
    link(one);
    expect(files()).toContain(three.hash);
    link(three);
    expect(fs.readFileSync(target, "latin1")).toBe("\0\0\0\x003333");
  });

  it("in pieces stays while another build runs, whose machine may have it as its disk", () => {
    const store = tempStore();
    const { link } = project(store);
    const blob = store.blobs.put("disk");
    const [one, two] = [0, 4].map((offset) =>
      store.putExtents({ size: 8, extents: [{ offset, length: 4, blob, from: 0 }] }),
    );
    tempStore(store.dir).begin();
    link(one!);
    link(two!);
    expect(fs.readdirSync(path.join(store.dir, "files"))).toHaveLength(2);
  });

  it("is replaced by another, and left alone when it is the same", () => {
    const { target, link, blob, names } = project();
    const one = blob("one");
    link(one);
    const before = fs.statSync(target);
    link(one);
    expect(fs.statSync(target).ctimeMs).toBe(before.ctimeMs);
    link(blob("two"));
    expect(fs.readFileSync(target, "utf8")).toBe("two");
    expect(names()).toEqual(["hello"]);
  });

  it("replaces whatever the user has put there, except a directory", () => {
    const { out, target, link, blob } = project();
    fs.mkdirSync(out);
    fs.writeFileSync(target, "mine");
    link(blob("image"));
    expect(fs.readFileSync(target, "utf8")).toBe("image");
    fs.rmSync(target);
    fs.mkdirSync(target);
    expect(() => link(blob("image"))).toThrow(expect.objectContaining({ code: "EXISTS", exit: 2 }));
    expect(fs.statSync(target).isDirectory()).toBe(true);
  });
});

describe("a directory", () => {
  it("is a link that switches at once; the old one goes", () => {
    const { target, link, tree, names } = project();
    link(tree("one"));
    expect(fs.readFileSync(path.join(target, "inside"), "utf8")).toBe("one");
    const [first] = names();
    link(tree("one"));
    expect(names()).toEqual([first, "hello"]);
    link(tree("two"));
    expect(fs.readFileSync(path.join(target, "inside"), "utf8")).toBe("two");
    expect(names()).toHaveLength(2);
    expect(names()).not.toContain(first);
  });

  it("does not replace a file that is in the way", () => {
    const { target, link, blob, tree } = project();
    link(blob("file"));
    expect(() => link(tree("x"))).toThrow(expect.objectContaining({ code: "EXISTS" }));
    expect(fs.readFileSync(target, "utf8")).toBe("file");
  });

  it("is replaced by a file: it was only a link", () => {
    const { target, link, blob, tree, names } = project();
    link(tree("x"));
    link(blob("file"));
    expect(fs.readFileSync(target, "utf8")).toBe("file");
    expect(names()).toEqual(["hello"]);
  });

  it("is whole or not there: missing bytes leave the last good one", () => {
    const { store, target, link, tree, names } = project();
    link(tree("good"));
    const broken = tree("broken");
    store.blobs.remove(store.blobs.put("broken").hash);
    const before = names();
    expect(() => link(broken)).toThrow(expect.objectContaining({ code: "BLOB_DAMAGED" }));
    expect(fs.readFileSync(path.join(target, "inside"), "utf8")).toBe("good");
    expect(names()).toEqual(before);
  });

  it("takes the place of a link that somebody else has made, and leaves what that one leads to", () => {
    const { out, target, link, blob, tree, names } = project();
    for (const artifact of [tree("x"), blob("x")]) {
      fs.mkdirSync(path.join(out, ".hello-mine/kept"), { recursive: true });
      fs.rmSync(target, { force: true });
      fs.symlinkSync(".hello-mine/../.hello-mine", target);
      link(artifact);
      expect(names()).toContain(".hello-mine");
    }
  });

  it("that cannot be linked is taken back", () => {
    const { target, link, tree, names } = project();
    link(tree("good"));
    const before = names();
    const failing = vi.spyOn(fs, "symlinkSync").mockImplementationOnce(() => {
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    });
    onTestFinished(() => failing.mockRestore());
    expect(() => link(tree("new"))).toThrow(expect.objectContaining({ code: "DISK_FULL" }));
    expect(names()).toEqual(before);
    expect(fs.readFileSync(path.join(target, "inside"), "utf8")).toBe("good");
  });
});

describe("what is linked", () => {
  it("is kept from being collected, under the project's and image's name", () => {
    const { link, blob, tree, target, refs } = project();
    const [one, two] = [blob("one"), tree("two")];
    link(one);
    expect(refs()).toMatchObject([{ kind: "blob", hash: one.hash }]);
    fs.rmSync(target);
    link(two);
    expect(refs()).toMatchObject([{ kind: "tree", hash: two.hash }]);
  });

  it("sweeps up what killed builds have left, and nothing of living ones", () => {
    const { out, link, blob, names } = project();
    fs.mkdirSync(path.join(out, ".tmp-4194305-0123456789ab"), { recursive: true });
    fs.writeFileSync(path.join(out, `.tmp-${process.pid}-0123456789ab`), "");
    fs.writeFileSync(path.join(out, ".tmp-mine"), "");
    link(blob("image"));
    expect(names()).toEqual([`.tmp-${process.pid}-0123456789ab`, ".tmp-mine", "hello"]);
  });

  it("sweeps for a directory, too: read-only ones that were half written", () => {
    const { out, link, tree, names } = project();
    const half = path.join(out, ".tmp-4194305-0123456789ab/locked");
    fs.mkdirSync(half, { recursive: true });
    fs.writeFileSync(path.join(half, "file"), "");
    fs.chmodSync(half, 0o500);
    link(tree("x"));
    expect(names()).toEqual([expect.stringMatching(/^\.hello-[0-9a-f]{16}$/), "hello"]);
  });

  it("and cannot be is an error with a code", () => {
    const { store, out, link, blob, tree } = project();
    const gone = blob("gone");
    store.blobs.remove(gone.hash);
    expect(() => link(gone)).toThrow(expect.objectContaining({ code: "BLOB_DAMAGED" }));
    fs.writeFileSync(out, "a file where the directory should be");
    for (const artifact of [blob("x"), tree("x")]) expect(() => link(artifact)).toThrow(BootwrightError);
  });

  it("where nothing may be written is ACCESS_DENIED, exit code 6", () => {
    const { link, blob, tree } = project();
    for (const artifact of [blob("x"), tree("x")])
      expect(() => link(artifact, "/sys/bootwright/out/hello")).toThrow(
        expect.objectContaining({ code: "ACCESS_DENIED", exit: 6 }),
      );
  });
});
