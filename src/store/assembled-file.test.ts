import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { describe, expect, it, vi } from "vitest";
import { listing, tempDir, tempStore } from "../../test/support/temp-store.ts";
import { digestOf } from "../base/digest.ts";
import type { ImagePiece } from "../formats/sparse-write.ts";
import type { ExtentsArtifact } from "./artifact.ts";
import { assembledBlob, assembledFile, assembledFiles } from "./assembled-file.ts";
import { collect } from "./collect.ts";
import { openExtentSource } from "./extent-bytes.ts";
import { ExtentsWriter } from "./extents-writer.ts";
import { Store } from "./store.ts";
import { verifyStore } from "./verify.ts";

const MIB = 1024 * 1024;
const SIZE = 8 * MIB;

/** Bytes of its own, a blob, a range of a pack, and holes between them. */
function pieces(store: Store): ImagePiece[] {
  const blob = store.blobs.put(Buffer.alloc(700_000, "blob "));
  const pack = store.blobs.put(Buffer.alloc(400_000, "pack "));
  return [
    { offset: 0, bytes: Buffer.from("head") },
    { offset: MIB, content: blob, from: 0, length: blob.size },
    {
      offset: 3 * MIB,
      content: { hash: "0".repeat(64), size: 9000, pack: { ...pack, offset: 3 } },
      from: 7,
      length: 5000,
    },
    { offset: SIZE - 4, bytes: Buffer.from("tail") },
  ];
}

function image(store: Store): ExtentsArtifact {
  const writer = new ExtentsWriter(store);
  writer.add(pieces(store), 0);
  return writer.done(SIZE);
}

function expected(): Buffer {
  const bytes = Buffer.alloc(SIZE);
  bytes.write("head");
  bytes.fill("blob ", MIB, MIB + 700_000);
  Buffer.alloc(400_000, "pack ").copy(bytes, 3 * MIB, 10, 5010);
  bytes.write("tail", SIZE - 4);
  return bytes;
}

/** A result with the image, and a ref to it where `kept`. */
function stored(store: Store, { kept = false } = {}): ExtentsArtifact {
  const artifact = image(store);
  store.record({ key: "disk", stage: "disk", outputs: { image: artifact }, ms: 1 });
  if (kept)
    store.db.run(
      "INSERT INTO refs (project, name, kind, hash, size, key, made) VALUES ('p', 'n', 'extents', ?, ?, 'k', 1)",
      ...[artifact.hash, artifact.size],
    );
  return artifact;
}

function overwrite(file: string, at: number): void {
  fs.chmodSync(file, 0o644);
  const fd = fs.openSync(file, "r+");
  fs.writeSync(fd, "X", at);
  fs.closeSync(fd);
}

describe("a file in pieces", () => {
  it("is put together with its holes, read-only, under its own name", () => {
    const store = tempStore();
    const artifact = image(store);
    const file = assembledFile(store, artifact);
    expect(fs.readFileSync(file).equals(expected())).toBe(true);
    const { mode, blocks } = fs.statSync(file);
    expect(mode & 0o777).toBe(0o444);
    expect(blocks * 512).toBeLessThan(MIB);
    expect(path.relative(store.dir, file)).toBe(path.join("files", artifact.hash));
  });

  it("is put together once", () => {
    const store = tempStore();
    const artifact = image(store);
    const { ino } = fs.statSync(assembledFile(store, artifact));
    expect(fs.statSync(assembledFile(store, artifact)).ino).toBe(ino);
  });

  it("takes what has another size for no file, and leaves who has it open alone", () => {
    const store = tempStore();
    const artifact = image(store);
    const file = assembledFile(store, artifact);
    fs.chmodSync(file, 0o644);
    fs.truncateSync(file, 5);
    const fd = fs.openSync(file, "r");
    assembledFile(store, artifact);
    expect(fs.readFileSync(file).equals(expected())).toBe(true);
    expect(fs.fstatSync(fd).size).toBe(5);
    fs.closeSync(fd);
  });

  it("can be read without being put together", () => {
    const store = tempStore();
    const artifact = image(store);
    const wanted = expected();
    using source = openExtentSource(store.blobs, store.getExtents(artifact));
    expect(source.size).toBe(SIZE);
    for (const [offset, length] of [
      [0, SIZE],
      [2, MIB],
      [MIB + 699_990, 100],
      [3 * MIB + 4999, 2],
      [SIZE - 2, 100],
      [SIZE, 1],
    ] as const)
      expect(Buffer.compare(source.read(offset, length), wanted.subarray(offset, offset + length))).toBe(0);
    expect(assembledFiles(store.dir)).toEqual([]);
  });

  it("hashes and writes only its own bytes", () => {
    const store = tempStore();
    const written = pieces(store);
    const before = new Set([...store.blobs.list()].map(({ hash }) => hash));
    const writer = new ExtentsWriter(store);
    writer.add(written, 0);
    const artifact = writer.done(SIZE);
    const added = [...store.blobs.list()].filter(({ hash }) => !before.has(hash));
    expect(added.map(({ size }) => size).sort((a, b) => a - b)).toEqual([8, artifact.size].sort((a, b) => a - b));
  });

  it("is not made of parts that overlap", () => {
    const store = tempStore();
    const writer = new ExtentsWriter(store);
    writer.add([{ offset: 0, bytes: Buffer.from("0123456789") }], 0);
    writer.add([{ offset: 0, bytes: Buffer.from("x") }], 9);
    expect(() => writer.done(20)).toThrow("out of place");
  });

  it("leaves nothing when a part is gone, and counts as missing", () => {
    const store = tempStore();
    const artifact = stored(store);
    const { extents } = store.getExtents(artifact);
    expect(store.lookup("disk")).toBeDefined();
    store.blobs.remove(extents[1]!.blob.hash);
    expect(() => assembledFile(store, artifact)).toThrow(expect.objectContaining({ code: "BLOB_DAMAGED" }));
    expect(fs.readdirSync(path.join(store.dir, "tmp"))).toEqual([]);
    expect(assembledFiles(store.dir)).toEqual([]);
    expect(store.lookup("disk")).toBeUndefined();
  });

  it("counts as there while the whole is, whatever has become of its parts", () => {
    const store = tempStore();
    const artifact = stored(store);
    assembledFile(store, artifact);
    store.blobs.remove(store.getExtents(artifact).extents[1]!.blob.hash);
    expect(store.lookup("disk")).toBeDefined();
  });

  it("a process that is killed on the way leaves no file of that name", () => {
    const store = tempStore();
    const artifact = image(store);
    const script = `
      import fs from "node:fs";
      import { assembledFile } from ${JSON.stringify(path.join(import.meta.dirname, "assembled-file.ts"))};
      import { Store } from ${JSON.stringify(path.join(import.meta.dirname, "store.ts"))};
      fs.fchmodSync = () => process.kill(process.pid, "SIGKILL");
      assembledFile(new Store(${JSON.stringify(store.dir)}), ${JSON.stringify(artifact)});`;
    const { signal } = spawnSync(process.execPath, ["--input-type=module-typescript", "--eval", script]);
    expect(signal).toBe("SIGKILL");
    expect(assembledFiles(store.dir)).toEqual([]);
    expect(fs.readdirSync(path.join(store.dir, "tmp"))).toHaveLength(1);
    expect(fs.readFileSync(assembledFile(store, artifact)).equals(expected())).toBe(true);
  });

  it("is read for its digest only when it is there already", () => {
    for (const there of [false, true]) {
      const store = tempStore();
      const artifact = image(store);
      if (there) assembledFile(store, artifact);
      const opened = vi.spyOn(fs, "openSync");
      const digest = assembledBlob(store, artifact);
      const file = path.join(store.dir, "files", artifact.hash);
      expect(opened.mock.calls.filter(([name]) => name === file)).toHaveLength(there ? 1 : 0);
      opened.mockRestore();
      expect(digest).toEqual(digestOf(expected()));
      expect(fs.statSync(store.blobs.path(digest.hash)).ino).toBe(fs.statSync(file).ino);
    }
  });

  it("is a blob, too, for who wants its digest: the same bytes, once on the disk", () => {
    const store = tempStore();
    const file = assembledFile(store, image(store));
    const digest = store.blobs.putLink(file);
    expect(fs.statSync(store.blobs.path(digest.hash)).ino).toBe(fs.statSync(file).ino);
    expect(store.blobs.putLink(file)).toEqual(digest);
    expect(fs.readdirSync(path.join(store.dir, "tmp"))).toEqual([]);
  });
});

describe("collect", () => {
  const soon = () => Date.now() + 1000;

  it("keeps the parts and the file of what a ref needs", () => {
    const store = new Store(tempDir());
    const file = assembledFile(store, stored(store, { kept: true }));
    store.close();
    const again = tempStore(store.dir);
    const before = listing(path.join(store.dir, "blobs"));
    expect(collect(again, { keep: 0, now: soon() })).toMatchObject({ removedBlobs: 0 });
    expect(listing(path.join(store.dir, "blobs"))).toEqual(before);
    expect(fs.existsSync(file)).toBe(true);
  });

  it("removes them all when nobody does, and counts the file's room", () => {
    const store = new Store(tempDir());
    const file = assembledFile(store, stored(store));
    const room = fs.statSync(file).blocks * 512;
    store.close();
    const report = collect(tempStore(store.dir), { keep: 0, now: soon() });
    expect(report.kept).toBe(0);
    expect(report.freed).toBeGreaterThan(room);
    expect(fs.existsSync(file)).toBe(false);
  });

  it("counts what is a blob as well once", () => {
    const store = new Store(tempDir());
    const file = assembledFile(store, stored(store, { kept: true }));
    const { size } = store.blobs.putLink(file);
    const blobs = [...store.blobs.list()].reduce((sum, blob) => sum + blob.size, 0);
    store.close();
    expect(collect(tempStore(store.dir), { keep: 0, dryRun: true, now: soon() })).toMatchObject({
      freed: size,
      kept: blobs - size,
    });
  });
});

describe("verifyStore", () => {
  it("finds a changed byte of a file that was put together, and of a hole in it", () => {
    for (const at of [MIB + 5, 2 * MIB + 1]) {
      const store = tempStore();
      const artifact = stored(store);
      const file = assembledFile(store, artifact);
      expect(verifyStore(store)).toMatchObject({ damaged: [], damagedFiles: [], incomplete: 0 });
      overwrite(file, at);
      expect(verifyStore(store)).toMatchObject({ damaged: [], damagedFiles: [artifact.hash], incomplete: 0 });
      expect(fs.existsSync(file)).toBe(false);
      expect(fs.readFileSync(assembledFile(store, artifact)).equals(expected())).toBe(true);
    }
  });

  it("drops what is made of a damaged part, and forgets the result", () => {
    const store = tempStore();
    const artifact = stored(store);
    const file = assembledFile(store, artifact);
    const part = store.getExtents(artifact).extents[1]!.blob;
    overwrite(store.blobs.path(part.hash), 99);
    expect(verifyStore(store)).toMatchObject({ damaged: [part.hash], damagedFiles: [artifact.hash], incomplete: 1 });
    expect(fs.existsSync(file)).toBe(false);
    expect(store.lookup("disk")).toBeUndefined();
  });
});
