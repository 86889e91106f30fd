/**
 * Trees → the file that the boot loader hands to the kernel: uncompressed microcode segments first, then the main
 * segment (kernel Documentation/arch/x86/microcode.rst, Documentation/driver-api/early-userspace/buffer-format.rst).
 */
import { alignUp } from "../base/bytes.ts";
import { withProgress } from "../base/chunk-progress.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";

export interface PackOptions {
  readonly name: string;
  readonly tree: TreeInput;
  /** In-process compressions; xz and lz4 are commands (see plan/initramfs). */
  readonly compress: { readonly kind: "zstd" | "gzip" | "none"; readonly level: number };
  /** Seconds since the epoch. */
  readonly epoch: number;
}

/** The main segment. */
export function packInitramfs({
  name,
  tree,
  compress: { kind, level },
  epoch,
}: PackOptions): Stage<{ tree: TreeInput }, { initrd: BlobArtifact }> {
  return defineStage({
    name,
    kind: "initramfs-pack",
    version: 2, // Since 2, zstd works in larger jobs.
    inputs: { tree },
    params: { kind, level, epoch },
    outputs: ["initrd"],
    weight: { cpu: kind === "zstd" ? 2 : 1 },
    run: async ({ inputs, store, progress, signal }) => {
      const { encodeNewc } = await import("../formats/newc.ts");
      const { compress } = await import("../formats/compress.ts");
      const entries = store.getTree(inputs.tree);
      const total = entries.reduce((sum, entry) => sum + (entry.type === "file" ? entry.content.size : 0), 0);
      const reader = store.reader();
      try {
        const chunks = withProgress(encodeNewc(entries, { read: reader.read, mtime: epoch }), (done) => {
          signal.throwIfAborted();
          progress(done, { total, what: kind === "none" ? "packing" : `packing with ${kind}` });
        });
        const digest =
          kind === "none"
            ? store.blobs.putSync(chunks)
            : await store.blobs.putStream(compress(chunks, { kind, level, size: total }), { overlap: true });
        return { initrd: blobArtifact(digest) };
      } finally {
        reader.close();
      }
    },
  });
}

export interface JoinOptions {
  readonly name: string;
  readonly segments: readonly BlobInput[];
}

/** Several segments in one file, each starting at a multiple of four bytes as the kernel's reader expects. */
export function joinSegments({
  name,
  segments,
}: JoinOptions): Stage<{ segments: readonly BlobInput[] }, { initrd: BlobArtifact }> {
  return defineStage({
    name,
    kind: "initramfs-join",
    version: 1,
    inputs: { segments },
    params: {},
    outputs: ["initrd"],
    run: async ({ inputs, store }) => {
      const { read } = store.blobs;
      const parts = function* (): Generator<Uint8Array> {
        for (const segment of inputs.segments) {
          yield* read.call(store.blobs, segment);
          yield Buffer.alloc(alignUp(segment.size, 4) - segment.size);
        }
      };
      return { initrd: blobArtifact(store.blobs.putSync(parts())) };
    },
  });
}
