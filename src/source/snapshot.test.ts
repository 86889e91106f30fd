import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { listing, tempDir, tempStore } from "../../test/support/temp-store.ts";
import { digestOf } from "../base/digest.ts";
import { Store } from "../store/store.ts";
import { localSource } from "./local.ts";
import { storeSnapshot, takeSnapshot } from "./snapshot.ts";

/** A directory whose files are old enough to be trusted. */
function project(files: Readonly<Record<string, string>>): string {
  const dir = tempDir();
  for (const [name, text] of Object.entries(files)) write(dir, name, text);
  settle();
  return dir;
}

function write(dir: string, name: string, text: string): void {
  fs.mkdirSync(path.dirname(path.join(dir, name)), { recursive: true });
  fs.writeFileSync(path.join(dir, name), text);
}

/** Lets more than a tick of the file system's clock pass. */
function settle(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 45);
}

const paths = (dir: string) =>
  takeSnapshot(dir, { store: undefined })
    .tree()
    .map((entry) => entry.path);

describe("what has not changed is not read again", () => {
  const files = { a: "one", "d/b": "two", "d/c": "three" };

  it("nothing at all when nothing has", () => {
    const [dir, store] = [project(files), tempStore()];
    const first = takeSnapshot(dir, { store });
    expect([first.hashed, first.files]).toEqual([3, 4]);
    const second = takeSnapshot(dir, { store });
    expect(second.hashed).toBe(0);
    expect(second.digest).toEqual(first.digest);
    expect(second.tree()).toEqual(first.tree());
  });

  it.each<[what: string, change: (dir: string) => void, hashed: number]>([
    ["an edit", (dir) => write(dir, "a", "ONE"), 1],
    ["a new file", (dir) => write(dir, "d/new", "new"), 1],
    ["a deleted file", (dir) => fs.rmSync(path.join(dir, "d/b")), 0],
    ["a renamed file", (dir) => fs.renameSync(path.join(dir, "d/b"), path.join(dir, "d/z")), 1],
    ["a renamed directory", (dir) => fs.renameSync(path.join(dir, "d"), path.join(dir, "e")), 2],
    ["a file made executable", (dir) => fs.chmodSync(path.join(dir, "a"), 0o755), 1],
    ["a new empty directory", (dir) => fs.mkdirSync(path.join(dir, "empty")), 0],
    [
      "a file that becomes a link",
      (dir) => {
        fs.rmSync(path.join(dir, "a"));
        fs.symlinkSync("d/b", path.join(dir, "a"));
      },
      0,
    ],
    [
      "an edit of the same size with its time set back",
      (dir) => {
        const { atime, mtime } = fs.statSync(path.join(dir, "a"));
        write(dir, "a", "eno");
        fs.utimesSync(path.join(dir, "a"), atime, mtime);
      },
      1,
    ],
  ])("%s is seen, and only what it touches is read", (_, change, hashed) => {
    const [dir, store] = [project(files), tempStore()];
    const before = takeSnapshot(dir, { store });
    change(dir);
    settle();
    const after = takeSnapshot(dir, { store });
    expect(after.digest).not.toEqual(before.digest);
    expect(after.hashed).toBe(hashed);
    expect(after.tree()).toEqual(takeSnapshot(dir, { store: undefined }).tree());
  });

  it("a time alone is no change of the tree", () => {
    const [dir, store] = [project(files), tempStore()];
    const before = takeSnapshot(dir, { store });
    fs.utimesSync(path.join(dir, "a"), 1, 1);
    expect(takeSnapshot(dir, { store }).digest).toEqual(before.digest);
  });
});

it("a file written twice within one tick, with the same size, is never mistaken", () => {
  const store = tempStore();
  for (let i = 0; i < 50; i++) {
    const dir = tempDir();
    write(dir, "f", "before");
    takeSnapshot(dir, { store });
    write(dir, "f", "after!");
    const [entry] = takeSnapshot(dir, { store }).tree();
    expect(entry).toMatchObject({ content: digestOf("after!") });
  }
});

describe("what a snapshot holds", () => {
  it("owners and times are accidents; of the mode, only whether it can be run", () => {
    const dir = project({ plain: "x", secret: "x", script: "x" });
    fs.chmodSync(path.join(dir, "secret"), 0o600);
    fs.chmodSync(path.join(dir, "script"), 0o711);
    expect(takeSnapshot(dir, { store: undefined }).tree()).toMatchObject([
      { path: "plain", mode: 0o644, uid: 0, gid: 0 },
      { path: "script", mode: 0o755, uid: 0, gid: 0 },
      { path: "secret", mode: 0o644, uid: 0, gid: 0 },
    ]);
  });

  it("links stay links, wherever they lead", () => {
    const dir = project({ a: "x" });
    fs.symlinkSync("/etc/passwd", path.join(dir, "out"));
    fs.symlinkSync("no-such-file", path.join(dir, "broken"));
    expect(takeSnapshot(dir, { store: undefined }).tree()).toMatchObject([
      { path: "a", type: "file" },
      { path: "broken", type: "symlink", target: "no-such-file" },
      { path: "out", type: "symlink", target: "/etc/passwd" },
    ]);
  });

  it("names that are not UTF-8, and those that only look so", () => {
    const dir = tempDir();
    const odd = Buffer.concat([Buffer.from(`${dir}/sub-`), Buffer.of(0xff)]);
    fs.mkdirSync(odd);
    fs.writeFileSync(Buffer.concat([odd, Buffer.from("/é")]), "x");
    write(dir, "replacement-\ufffd", "y");
    const store = tempStore();
    expect(paths(dir)).toEqual(["replacement-\ufffd", "sub-\udcff", "sub-\udcff/é"]);
    takeSnapshot(dir, { store });
    settle();
    takeSnapshot(dir, { store });
    expect(takeSnapshot(dir, { store }).hashed).toBe(0);
  });

  it("a lone file is a tree of one entry without a name", () => {
    const file = path.join(project({ f: "text" }), "f");
    expect(takeSnapshot(file, { store: undefined }).tree()).toMatchObject([{ path: "", content: digestOf("text") }]);
  });

  it("a root that is a link stands for what it leads to", () => {
    const dir = project({ "real/inside": "text" });
    fs.symlinkSync("real", path.join(dir, "dir-link"));
    fs.symlinkSync("real/inside", path.join(dir, "file-link"));
    expect(paths(path.join(dir, "dir-link"))).toEqual(["inside"]);
    expect(paths(path.join(dir, "file-link"))).toEqual([""]);
  });

  it("leaves out what is to be ignored, with all below it", () => {
    const dir = project({ a: "", "out/b": "", "out/c/d": "" });
    const tree = takeSnapshot(dir, { store: undefined, ignore: (name) => name === "out" }).tree();
    expect(tree.map((entry) => entry.path)).toEqual(["a"]);
  });
});

describe("what cannot be taken is said", () => {
  it.each(["nowhere", "a/below-a-file"])("%s is PATH_MISSING", (name) => {
    const dir = project({ a: "" });
    expect(() => takeSnapshot(path.join(dir, name), { store: undefined })).toThrow(
      expect.objectContaining({ code: "PATH_MISSING" }),
    );
  });

  it("a link that leads nowhere, and one that leads to itself", () => {
    const dir = tempDir();
    fs.symlinkSync("nothing", path.join(dir, "broken"));
    fs.symlinkSync("loop", path.join(dir, "loop"));
    expect(() => takeSnapshot(path.join(dir, "broken"), { store: undefined })).toThrow(
      expect.objectContaining({ code: "PATH_MISSING" }),
    );
    expect(() => takeSnapshot(path.join(dir, "loop"), { store: undefined })).toThrow(
      expect.objectContaining({ code: "IO" }),
    );
  });

  it("a pipe is refused, with the way to declare devices", () => {
    const dir = tempDir();
    execFileSync(needProgram("mkfifo", "coreutils"), [path.join(dir, "pipe")]);
    expect(() => takeSnapshot(dir, { store: undefined })).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", hint: expect.stringContaining("/dev/pipe") }),
    );
  });
});

describe("storeSnapshot", () => {
  const signal = new AbortController().signal;
  const options = (store: Store) => ({ store, signal, progress: () => {} });

  it("brings the contents into the store", () => {
    const [dir, store] = [project({ a: "one", "d/b": "two" }), tempStore()];
    const snapshot = takeSnapshot(dir, { store });
    storeSnapshot(snapshot, options(store));
    expect(store.blobs.has(snapshot.digest)).toBe(true);
    expect([digestOf("one"), digestOf("two")].every((digest) => store.blobs.has(digest))).toBe(true);
  });

  it("a file that changed since it was looked at is an error, not a wrong tree", () => {
    const [dir, store] = [project({ a: "one" }), tempStore()];
    const snapshot = takeSnapshot(dir, { store });
    write(dir, "a", "two");
    expect(() => storeSnapshot(snapshot, options(store))).toThrow(
      expect.objectContaining({ code: "IO", message: expect.stringContaining("changed while it was read") }),
    );
    expect(store.blobs.has(snapshot.digest)).toBe(false);
  });

  it("stops when it is told to", () => {
    const [dir, store] = [project({ a: "one" }), tempStore()];
    const stopped = { ...options(store), signal: AbortSignal.abort(new Error("enough")) };
    expect(() => storeSnapshot(takeSnapshot(dir, { store }), stopped)).toThrow("enough");
  });
});

it("a read-only store is not written to", () => {
  const [dir, at] = [project({ a: "one" }), tempDir()];
  new Store(at).close();
  const before = listing(at);
  const store = new Store(at, { readonly: true });
  expect(takeSnapshot(dir, { store }).hashed).toBe(1);
  store.close();
  expect(listing(at)).toEqual(before);
});

it("a local source says what it will give before it runs", () => {
  const dir = project({ "files/a": "one" });
  const { stage, snapshot } = localSource("files", { projectDir: dir, store: tempStore() });
  expect(stage).toMatchObject({ name: "local:files", pinned: { tree: { kind: "tree", ...snapshot.digest } } });
});
