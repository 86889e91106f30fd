import fs from "node:fs";
import { describe, expect, it } from "vitest";
import { tempStore } from "../../test/support/temp-store.ts";
import { digestOf } from "../base/digest.ts";
import { blobArtifact } from "./artifact.ts";
import type { Store } from "./store.ts";
import { verifyStore } from "./verify.ts";

/** A result with a tree of one file, and one with a lone blob. */
function storeWithResults(): Store {
  const store = tempStore();
  const content = store.blobs.put("content");
  const tree = store.putTree([{ type: "file", path: "a", mode: 0o644, uid: 0, gid: 0, content }]);
  store.record({ key: "tree", stage: "t", outputs: { tree }, ms: 1 });
  store.record({ key: "blob", stage: "b", outputs: { file: blobArtifact(store.blobs.put("blob")) }, ms: 1 });
  return store;
}

/** Changes one bit; size and time stay. */
function flipBit(file: string): void {
  const { atime, mtime } = fs.statSync(file);
  const bytes = fs.readFileSync(file);
  bytes[bytes.length >> 1]! ^= 1;
  fs.chmodSync(file, 0o644);
  fs.writeFileSync(file, bytes);
  fs.utimesSync(file, atime, mtime);
}

describe("verifyStore", () => {
  it("finds nothing wrong where nothing is", () => {
    const store = storeWithResults();
    const progress: number[] = [];
    const report = verifyStore(store, (done) => progress.push(done));
    expect(report).toEqual({ blobs: 3, bytes: progress.at(-1), damaged: [], damagedFiles: [], incomplete: 0 });
    expect(progress).toHaveLength(3);
    expect(store.lookup("tree")).toBeDefined();
  });

  it("finds one flipped bit, drops the blob, and forgets who needs it", () => {
    const store = storeWithResults();
    const { hash } = digestOf("content");
    flipBit(store.blobs.path(hash));
    expect(store.lookup("tree")).toBeDefined(); // Nobody else would notice.
    expect(verifyStore(store)).toMatchObject({ damaged: [hash], incomplete: 1 });
    expect(store.blobs.has(digestOf("content"))).toBe(false);
    expect(store.lookup("tree")).toBeUndefined();
    expect(store.lookup("blob")).toBeDefined();
    expect(verifyStore(store)).toMatchObject({ damaged: [], incomplete: 0 });
  });

  it("forgets results whose blobs are gone", () => {
    const store = storeWithResults();
    store.blobs.remove(digestOf("blob").hash);
    expect(verifyStore(store)).toMatchObject({ damaged: [], incomplete: 1 });
    expect(store.lookup("blob")).toBeUndefined();
  });

  it("a tree whose own encoding is damaged is dropped with its results", () => {
    const store = storeWithResults();
    const tree = store.lookup("tree")!.outputs.tree!;
    flipBit(store.blobs.path(tree.hash));
    expect(verifyStore(store)).toMatchObject({ damaged: [tree.hash], incomplete: 1 });
    expect(store.lookup("tree")).toBeUndefined();
  });

  it("what a build beside it writes meanwhile counts as there", () => {
    const store = storeWithResults();
    const write = () =>
      store.record({ key: "late", stage: "l", outputs: { file: blobArtifact(store.blobs.put("late")) }, ms: 1 });
    let written = false;
    const report = verifyStore(store, () => {
      // Its directory is new, so the listing that is under way does not have it.
      if (!written) write();
      written = true;
    });
    expect(report).toMatchObject({ damaged: [], incomplete: 0 });
    expect(store.lookup("late")).toBeDefined();
  });

  it("what does not belong among the blobs goes", () => {
    const store = storeWithResults();
    const stray = store.blobs.path("ab-no-digest");
    fs.mkdirSync(store.blobs.path("ab").replace(/ab$/, ""), { recursive: true });
    fs.writeFileSync(stray, "stray");
    expect(verifyStore(store).damaged).toEqual(["ab-no-digest"]);
    expect(fs.existsSync(stray)).toBe(false);
  });
});
