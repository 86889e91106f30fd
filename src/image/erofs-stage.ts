/** The stage that writes a tree as an EROFS file system. */
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";

export interface ErofsStageOptions {
  readonly name: string;
  readonly tree: TreeInput;
  /** The volume's UUID is made from it. */
  readonly seed: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
  /** At most 16 bytes. */
  readonly label: string;
}

/** Throws LIMIT_EXCEEDED and UNSUPPORTED for what EROFS does not hold. */
export function erofsStage(options: ErofsStageOptions): Stage<{ tree: TreeInput }, { image: BlobArtifact }> {
  const { name, tree, seed, epoch, label } = options;
  return defineStage({
    name,
    kind: "erofs-image",
    version: 1,
    inputs: { tree },
    params: { seed, epoch, label },
    outputs: ["image"],
    run: async ({ inputs, store }) => {
      const { encodeErofs } = await import("../formats/erofs.ts");
      const reader = store.reader({ reuse: true });
      try {
        const volume = encodeErofs(store.getTree(inputs.tree), { read: reader.read, seed, epoch, label });
        return { image: blobArtifact(store.blobs.putSparse(volume.writes(), volume.size)) };
      } finally {
        reader.close();
      }
    },
  });
}
