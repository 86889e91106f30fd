import fs from "node:fs";
import path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { listing, tempDir, tempStore } from "../../test/support/temp-store.ts";
import { digestOf } from "../base/digest.ts";
import { type Artifact, blobArtifact } from "./artifact.ts";
import { cacheDirectory } from "./caches.ts";
import { collect } from "./collect.ts";
import { materializedRoot } from "./materialize.ts";
import { Store } from "./store.ts";

/** Bytes a blob, so that sizes are easy to reckon with. */
const SIZE = 1000;
const text = (name: string) => name.padEnd(SIZE, ".");
const soon = () => Date.now() + 1000;

/** A store in which each name is a result with one blob, the first used longest ago. No build is running. */
function storeOf(...names: string[]): Store {
  const dir = tempDir();
  const builder = new Store(dir);
  for (const [i, name] of names.entries()) {
    builder.record({ key: name, stage: name, outputs: { file: blobArtifact(builder.blobs.put(text(name))) }, ms: 1 });
    builder.db.run("UPDATE results SET used = ? WHERE key = ?", i, name);
  }
  builder.close();
  return tempStore(dir);
}

const there = (store: Store, ...names: string[]) => names.filter((name) => store.blobs.has(digestOf(text(name))));

function addRef(store: Store, artifact: Artifact): void {
  store.db.run(
    "INSERT INTO refs (project, name, kind, hash, size, key, made) VALUES ('p', 'n', ?, ?, ?, 'k', 1)",
    ...[artifact.kind, artifact.hash, artifact.size],
  );
}

describe("programs' caches", () => {
  it("count, and go when the store is larger than it may be", () => {
    const store = tempStore();
    const dir = cacheDirectory(store.dir, "compiler");
    fs.mkdirSync(path.join(dir, "a"));
    fs.writeFileSync(path.join(dir, "a/object"), "12345");
    const options = { now: Date.now() };
    expect(collect(store, { ...options, keep: 5 })).toMatchObject({ freedCaches: 0 });
    expect(collect(store, { ...options, keep: 4, dryRun: true })).toMatchObject({ freedCaches: 5 });
    expect(fs.existsSync(dir)).toBe(true);
    expect(collect(store, { ...options, keep: 4 })).toMatchObject({ freedCaches: 5 });
    expect(fs.existsSync(dir)).toBe(false);
  });
});

describe("collect", () => {
  it("removes what was used longest ago until the rest fits", () => {
    const store = storeOf("old", "middle", "new");
    const report = collect(store, { keep: 2 * SIZE, now: soon() });
    expect(report).toEqual({
      removedResults: 1,
      removedBlobs: 1,
      freed: SIZE,
      kept: 2 * SIZE,
      keptBlobs: 2,
      freedCaches: 0,
    });
    expect(there(store, "old", "middle", "new")).toEqual(["middle", "new"]);
    expect(["old", "middle", "new"].map((key) => store.lookup(key)?.key)).toEqual([undefined, "middle", "new"]);
  });

  it("removes all when nothing is to be kept", () => {
    const store = storeOf("a", "b");
    store.blobs.put("belongs to nothing");
    expect(collect(store, { keep: 0, now: soon() })).toMatchObject({ removedBlobs: 3, kept: 0 });
    expect([...store.blobs.list()]).toEqual([]);
  });

  it("counts a blob that several results share once", () => {
    const store = storeOf("a");
    const file = blobArtifact(digestOf(text("a")));
    store.db.run("INSERT INTO results SELECT 'twin', stage, outputs, ms, made, used FROM results");
    expect(collect(store, { keep: SIZE, now: soon() })).toMatchObject({ removedResults: 0, kept: SIZE });
    expect(store.lookup("twin")?.outputs).toEqual({ file });
  });

  it("never removes what a project's ref needs: a tree with its contents and packs", () => {
    const store = storeOf("old");
    const pack = store.blobs.put("the pack");
    const own = store.blobs.put("own");
    const common = { type: "file" as const, mode: 0o644, uid: 0, gid: 0 };
    const tree = store.putTree([
      { ...common, path: "a", content: { hash: "a".repeat(64), size: 3, pack: { ...pack, offset: 0 } } },
      { ...common, path: "b", content: own },
    ]);
    addRef(store, tree);
    collect(store, { keep: 0, now: soon() });
    expect([...store.blobs.list()].map(({ hash }) => hash).sort()).toEqual([tree.hash, pack.hash, own.hash].sort());
  });

  it("never removes what a running build uses, nor what it has just written", () => {
    const store = storeOf("used", "unused");
    const running = tempStore(store.dir);
    fs.utimesSync(store.blobs.path(digestOf(text("used")).hash), 1, 1);
    fs.utimesSync(store.blobs.path(digestOf(text("unused")).hash), 1, 1);
    expect(running.claim(["used"])).toBe(true);
    running.blobs.put(text("fresh"));
    collect(store, { keep: 0, now: soon() });
    expect(there(store, "used", "unused", "fresh")).toEqual(["used", "fresh"]);
    expect(store.lookup("used")).toBeDefined();
  });

  it("forgets what dead builds used", () => {
    const store = storeOf("a");
    store.db.run("INSERT INTO builds (id, pid, boot, started) VALUES ('dead', 1, 'another boot', 0)");
    store.db.run("INSERT INTO uses (build, key) VALUES ('dead', 'a')");
    collect(store, { keep: 0, now: soon() });
    expect(there(store, "a")).toEqual([]);
    expect(store.db.all("SELECT * FROM uses")).toEqual([]);
  });

  it("leaves a blob that was touched since it began", () => {
    const store = storeOf("a", "b");
    const began = Date.now() - 60_000;
    fs.utimesSync(store.blobs.path(digestOf(text("a")).hash), 1, 1);
    collect(store, { keep: 0, now: began });
    expect(there(store, "a", "b")).toEqual(["b"]);
  });

  it("a dry run tells the same and removes nothing", () => {
    const store = storeOf("old", "new");
    const before = listing(store.dir);
    const foretold = collect(store, { keep: SIZE, now: soon(), dryRun: true });
    expect(listing(store.dir)).toEqual(before);
    expect(store.lookup("old")).toBeDefined();
    expect(collect(store, { keep: SIZE, now: soon() })).toEqual(foretold);
  });

  it("cleans up after killed processes, and leaves what living ones write", () => {
    const store = storeOf();
    const [dead, alive] = [path.join(store.dir, "tmp", "4194305-dead"), store.blobs.temporary()];
    fs.mkdirSync(dead);
    fs.writeFileSync(path.join(dead, "half"), "");
    fs.writeFileSync(alive, "");
    collect(store, { keep: 0, now: soon() });
    expect([fs.existsSync(dead), fs.existsSync(alive)]).toEqual([false, true]);
  });

  it("unpacked roots go with their tree, but not while a build runs", () => {
    const store = storeOf();
    const tree = store.putTree([{ type: "directory", path: "", mode: 0o755, uid: 0, gid: 0 }]);
    const root = materializedRoot(store, tree);
    const running = new Store(store.dir);
    running.begin();
    collect(store, { keep: 0, now: soon() });
    expect(fs.existsSync(root)).toBe(true);
    running.close();
    addRef(store, tree);
    collect(store, { keep: 0, now: soon() });
    expect(fs.existsSync(root)).toBe(true);
    store.db.run("DELETE FROM refs");
    collect(store, { keep: 0, now: soon() });
    expect(fs.existsSync(root)).toBe(false);
  });

  it("unpacked roots stay when a build begins while the collection goes on", () => {
    const store = storeOf();
    const root = materializedRoot(store, store.putTree([{ type: "directory", path: "", mode: 0o755, uid: 0, gid: 0 }]));
    const late = tempStore(store.dir);
    const running = store.running.bind(store);
    const asked = vi.spyOn(store, "running").mockImplementation(() => {
      const builds = running();
      if (asked.mock.calls.length === 1) late.begin();
      return builds;
    });
    collect(store, { keep: 0, now: soon() });
    expect(fs.existsSync(root)).toBe(true);
  });
});
