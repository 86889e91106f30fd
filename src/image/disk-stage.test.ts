import fs from "node:fs";
import { describe, expect, it } from "vitest";
import { tempStore } from "../../test/support/temp-store.ts";
import { DigestCounter, digestOf } from "../base/digest.ts";
import { runStages } from "../stage/scheduler.ts";
import { blobOf, extentsOf, type OutputRef } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type ExtentsArtifact } from "../store/artifact.ts";
import { assembledFile } from "../store/assembled-file.ts";
import type { Store } from "../store/store.ts";
import { diskStage } from "./disk-stage.ts";
import { volumeStage } from "./volume-stage.ts";
import { wholeFileStage } from "./whole-file.ts";

const MIB = 1024 * 1024;
const LINUX = "0fc63daf-8483-4772-8e79-3d69d8477de4";

/** A program, a root of 8 MiB that a stage of its own lays out, and a partition that is a file of 3 MiB. */
async function build(store: Store, program: string) {
  const root = store.putTree([
    { type: "directory", path: "", mode: 0o755, uid: 0, gid: 0 },
    ...["a", "b"].map((path) => ({
      ...{ type: "file" as const, path, mode: 0o644, uid: 0, gid: 0 },
      content: store.blobs.put(Buffer.alloc(4 * MIB, path)),
    })),
  ]);
  const extra = blobArtifact(store.blobs.put(Buffer.alloc(3 * MIB, "extra ")));
  const volume = volumeStage({
    name: "volume",
    tree: root,
    fs: "ext4",
    seed: "seed",
    epoch: 1_700_000_000,
    label: "root",
  });
  const filled = (within: boolean) =>
    within
      ? { kind: "ext4" as const, tree: root }
      : { kind: "volume" as const, volume: extentsOf(volume, "image"), readonly: false };
  const disk = (within: boolean) =>
    diskStage({
      ...{ name: "disk", architecture: "amd64", seed: "seed", epoch: 1_700_000_000, sectorSize: 512 },
      ...{ boot: blobArtifact(store.blobs.put(Buffer.alloc(2 * MIB, program))), files: [], espSize: 33 * MIB },
      partitions: [
        { label: "root", type: LINUX, content: filled(within) },
        { label: "extra", type: LINUX, content: { kind: "file", file: extra } },
      ],
    });
  const image = extentsOf(disk(false), "image");
  const whole = blobOf(wholeFileStage({ name: "whole", file: image }), "file");
  return { image, whole, within: extentsOf(disk(true), "image") };
}

const runStage = (store: Store, { stage }: OutputRef) =>
  runStages([stage], { store, emit: () => {}, signal: new AbortController().signal, project: "test" });

async function run<A extends BlobArtifact | ExtentsArtifact>(store: Store, ref: OutputRef<A>): Promise<A> {
  const { output } = await runStage(store, ref);
  return output(ref.stage, ref.output) as A;
}

const ranOf = async (store: Store, program: string) => {
  const { stages } = await runStage(store, (await build(store, program)).image);
  return stages.filter(({ outcome }) => outcome === "ran").map(({ stage }) => stage);
};

const blobs = (store: Store) => new Map([...store.blobs.list()].map(({ hash, size }) => [hash, size]));

describe("diskStage", () => {
  it("another program lays out the disk again, and no other partition", async () => {
    const store = tempStore();
    expect(await ranOf(store, "old")).toEqual(["volume", "disk"]);
    expect(await ranOf(store, "new")).toEqual(["disk"]);
  });

  it("a partition that only the disk knows the size of has the bytes that its own stage gives", async () => {
    const store = tempStore();
    const { image, within } = await build(store, "one");
    expect(await run(store, within)).toEqual(await run(store, image));
  });

  it("another program costs no byte of the root's files", async () => {
    const store = tempStore();
    await run(store, (await build(store, "old")).image);
    const again = await build(store, "new");
    const before = blobs(store);
    await run(store, again.image);
    const added = [...blobs(store)].filter(([hash]) => !before.has(hash));
    const written = added.reduce((sum, [, size]) => sum + size, 0);
    // The ESP's own structures, the partition table, and where all lies; not the program itself.
    expect(added.length).toBeLessThanOrEqual(3);
    expect(written).toBeLessThan(256 * 1024);
  });

  it("its file has the bytes whose digest the whole has", async () => {
    const store = tempStore();
    const { image, whole } = await build(store, "one");
    const blob = await run(store, whole);
    const artifact = await run(store, image);
    const file = assembledFile(store, artifact);
    expect(digestOf(fs.readFileSync(file))).toEqual({ hash: blob.hash, size: blob.size });
    expect(blob.size).toBe(artifact.length);
    const counter = new DigestCounter();
    for (const chunk of store.blobs.read(blob)) counter.update(chunk);
    expect(counter.digest().hash).toBe(blob.hash);
  });
});
