/** The stage that writes a tree as an ext4 file system in a file of its own. */
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { freeRoom } from "./free-room.ts";

export interface Ext4StageOptions {
  readonly name: string;
  readonly tree: TreeInput;
  /** The volume's UUID is made from it. */
  readonly seed: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
  /** At most 16 bytes. */
  readonly label: string;
  /** Bytes; absent: what the files need, and a quarter more. */
  readonly size?: number | undefined;
  /** Nobody will write: it has no journal, and no room. */
  readonly readonly?: boolean;
}

/** Throws LIMIT_EXCEEDED when the tree does not fit, and for what ext4 does not hold. */
export function ext4Stage(options: Ext4StageOptions): Stage<{ tree: TreeInput }, { image: BlobArtifact }> {
  const { name, tree, seed, epoch, label, size, readonly = false } = options;
  return defineStage({
    name,
    kind: "ext4-image",
    version: 1,
    inputs: { tree },
    params: { seed, epoch, label, size: size ?? null, ...(readonly && { readonly }) },
    outputs: ["image"],
    run: async ({ inputs, store }) => {
      const { encodeExt4 } = await import("../formats/ext4.ts");
      const reader = store.reader({ reuse: true });
      try {
        const entries = store.getTree(inputs.tree);
        const room = size === undefined ? { free: readonly ? 0 : freeRoom(entries) } : { size };
        const own = { read: reader.read, seed, epoch, label, journal: !readonly, ...room };
        const volume = encodeExt4(entries, own);
        return { image: blobArtifact(store.blobs.putSparse(volume.writes(), volume.size)) };
      } finally {
        reader.close();
      }
    },
  });
}
