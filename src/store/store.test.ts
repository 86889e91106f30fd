import { describe, expect, it } from "vitest";
import { listing, tempDir, tempStore } from "../../test/support/temp-store.ts";
import type { FileEntry, FileTree } from "../formats/filetree.ts";
import { blobArtifact } from "./artifact.ts";
import { openBlobSource } from "./blob-source.ts";
import { Store } from "./store.ts";

const file = (path: string, content: FileEntry["content"]): FileEntry => ({
  type: "file",
  path,
  mode: 0o644,
  uid: 0,
  gid: 0,
  content,
});

function storeWithResult() {
  const store = tempStore();
  const output = blobArtifact(store.blobs.put("output"));
  store.record({ key: "k", stage: "s", outputs: { file: output }, ms: 7 });
  return { store, output };
}

describe("results", () => {
  it("are found by key, with their outputs", () => {
    const { store, output } = storeWithResult();
    expect(store.lookup("k")).toEqual({ key: "k", stage: "s", outputs: { file: output }, ms: 7 });
    expect(store.lookup("other")).toBeUndefined();
  });

  it("count only while all outputs are there", () => {
    const { store, output } = storeWithResult();
    store.blobs.remove(output.hash);
    expect(store.lookup("k")).toBeUndefined();
    store.blobs.put("output");
    expect(store.lookup("k")).toBeDefined();
  });

  it("are seen by another that opens the store, also read-only", () => {
    const { store } = storeWithResult();
    expect(tempStore(store.dir).lookup("k")).toBeDefined();
    const readonly = new Store(store.dir, { readonly: true });
    expect(readonly.lookup("k")).toBeDefined();
    readonly.close();
  });

  it("can be forgotten", () => {
    const { store } = storeWithResult();
    store.forget(["k", "never there"]);
    expect(store.lookup("k")).toBeUndefined();
  });

  it("claim says whether all are still there, and registers the build", () => {
    const { store } = storeWithResult();
    const other = tempStore(store.dir);
    expect(other.running().map(({ id }) => id)).toEqual([store.buildId]);
    expect(other.claim(["k"])).toBe(true);
    expect(other.claim(["k", "gone"])).toBe(false);
    expect(store.running()).toHaveLength(2);
  });
});

describe("the last use of a result", () => {
  it.each([
    ["is written once an hour", 3_600_001, true],
    ["is left as it is before", 3_599_000, false],
  ])("%s", (_, age, written) => {
    const { store } = storeWithResult();
    const used = Date.now() - age;
    store.db.run("UPDATE results SET used = ?", used);
    store.claim(["k"]);
    expect(store.db.get<{ used: number }>("SELECT used FROM results")!.used > used).toBe(written);
  });
});

describe("builds", () => {
  it("are running from begin to close", () => {
    const dir = tempDir();
    const watcher = tempStore(dir);
    const store = new Store(dir);
    expect(watcher.running()).toEqual([]);
    store.begin();
    store.begin();
    expect(watcher.running()).toMatchObject([{ id: store.buildId, pid: process.pid }]);
    store.claim(["k"]);
    store.close();
    expect(watcher.running()).toEqual([]);
    expect(watcher.db.all("SELECT * FROM uses")).toEqual([]);
  });

  it("of dead processes do not run", () => {
    const store = tempStore();
    store.db.run("INSERT INTO builds (id, pid, boot, started) VALUES ('dead', 1, 'another boot', 0)");
    expect(store.running()).toEqual([]);
  });
});

describe("trees", () => {
  it("come back as they were put, from another instance, too", () => {
    const store = tempStore();
    const tree: FileTree = [file("a", store.blobs.put("one")), file("b", store.blobs.put("two"))];
    const artifact = store.putTree(tree);
    expect(store.getTree(artifact)).toEqual(tree);
    expect(tempStore(store.dir).getTree(artifact)).toEqual(tree);
  });

  it("contents are read alone or out of packs", () => {
    const store = tempStore();
    const pack = store.blobs.put("..inside..");
    const { hash } = store.blobs.put("inside");
    store.blobs.remove(hash);
    const content = { hash, size: 6, pack: { ...pack, offset: 2 } };
    expect(store.readContent(content).toString()).toBe("inside");
    const reader = store.reader();
    expect(Buffer.concat([...reader.read(content)]).toString()).toBe("inside");
    expect(Buffer.concat([...reader.read(store.blobs.put("own"))]).toString()).toBe("own");
    expect([...reader.read({ hash: "", size: 0 })]).toEqual([]);
    reader.close();
  });

  it("with reuse, chunks of all contents stand in one buffer, each good until the next", () => {
    const store = tempStore();
    const bytes = Buffer.alloc(3 * 1024 * 1024 + 5, "0123456789");
    const own = store.blobs.put(bytes);
    const reader = store.reader({ reuse: true });
    for (const content of [own, { hash: "", size: own.size - 7, pack: { ...own, offset: 7 } }]) {
      const memory = new Set<ArrayBufferLike>();
      const copies: Buffer[] = [];
      for (const chunk of reader.read(content)) {
        memory.add(chunk.buffer);
        copies.push(Buffer.from(chunk));
      }
      expect(memory.size).toBe(1);
      expect(Buffer.concat(copies).equals(bytes.subarray(own.size - content.size))).toBe(true);
    }
    reader.close();
  });

  it("a pack that is gone is told as the blob that is missing", () => {
    const store = tempStore();
    const pack = { ...store.blobs.put("packed"), offset: 0 };
    store.blobs.remove(pack.hash);
    const reader = store.reader();
    for (const read of [store.read, reader.read])
      expect(() => [...read({ hash: "a".repeat(64), size: 3, pack })]).toThrow(
        expect.objectContaining({ code: "BLOB_DAMAGED", hash: pack.hash }),
      );
  });

  it("a pack that is cut off is told so, whichever way it is read", () => {
    const store = tempStore();
    const pack = { ...store.blobs.put("short"), size: 50, offset: 2 };
    const reader = store.reader();
    for (const read of [store.read, reader.read])
      expect(() => [...read({ hash: "a".repeat(64), size: 30, pack })]).toThrow(
        expect.objectContaining({ code: "BLOB_DAMAGED", hash: pack.hash }),
      );
    reader.close();
  });
});

it("openBlobSource reads ranges, and stops at the end", () => {
  const store = tempStore();
  const digest = store.blobs.put("0123456789");
  using source = openBlobSource(store.blobs, digest);
  expect(source.size).toBe(10);
  expect(Buffer.from(source.read(2, 3)).toString()).toBe("234");
  expect(Buffer.from(source.read(8, 5)).toString()).toBe("89");
  expect(source.read(20, 5)).toHaveLength(0);
});

it("a read-only store that is not there is empty, and stays not there", () => {
  const dir = tempDir();
  const store = new Store(`${dir}/none`, { readonly: true });
  expect(store.lookup("k")).toBeUndefined();
  expect(store.running()).toEqual([]);
  store.close();
  expect(listing(dir)).toEqual([]);
});
