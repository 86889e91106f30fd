/** The stage that takes chance and the clock out of a disk that qemu-img has made: identifiers come from the seed. */
import type { SparseWrite } from "../formats/sparse-write.ts";
import { seededUuid } from "../formats/uuid.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { openBlobSource } from "../store/blob-source.ts";

export interface FixedIdentityOptions {
  readonly name: string;
  readonly image: BlobInput;
  readonly format: "vhd" | "vmdk";
  /** A VMDK names its own file. */
  readonly fileName: string;
  readonly seed: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
}

export function fixedIdentityStage(
  options: FixedIdentityOptions,
): Stage<{ image: BlobInput }, { image: BlobArtifact }> {
  const { name, image, format, fileName, seed, epoch } = options;
  return defineStage({
    name,
    kind: "fixed-identity",
    version: 1,
    inputs: { image },
    params: { format, fileName, seed, epoch },
    outputs: ["image"],
    run: async ({ inputs, store }) => {
      const { fixVmdk } = await import("../formats/vmdk.ts");
      const { fixVhd } = await import("../formats/vhd.ts");
      using source = openBlobSource(store.blobs, inputs.image);
      const uuid = seededUuid(seed, format);
      const fixes =
        format === "vhd"
          ? fixVhd(source, { uuid, epoch })
          : [fixVmdk(source, { contentId: Number.parseInt(uuid.slice(0, 8), 16), fileName })];
      return { image: blobArtifact(store.blobs.putSync(patched(store.blobs.read(inputs.image), fixes))) };
    },
  });
}

/** The chunks with `fixes` written over them. */
function* patched(chunks: Iterable<Buffer>, fixes: readonly SparseWrite[]): Generator<Uint8Array> {
  let at = 0;
  for (const chunk of chunks) {
    for (const { offset, bytes } of fixes) {
      const from = Math.max(offset, at);
      const to = Math.min(offset + bytes.length, at + chunk.length);
      if (from < to) chunk.set(bytes.subarray(from - offset, to - offset), from - at);
    }
    at += chunk.length;
    yield chunk;
  }
}
