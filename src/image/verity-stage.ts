/** The stage that gives a read-only file system its dm-verity hash tree, behind it or apart, and says by which words it is opened. */
import { createHash } from "node:crypto";
import { alignUp } from "../base/bytes.ts";
import { guidBytes, seededUuid } from "../formats/uuid.ts";
import { VERITY_BLOCK, type VerityTree } from "../formats/verity.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";

/** JSON: what whoever opens the image must know. */
export interface VerityDescription {
  /** Hex: whoever has it knows every byte of the image. */
  readonly rootHash: string;
  /** Hex. */
  readonly salt: string;
  readonly dataBlocks: number;
  /** Bytes from the start of the image, or of the tree that is apart, to the superblock of the tree. */
  readonly hashOffset: number;
}

export interface VerityStageOptions {
  readonly name: string;
  readonly image: BlobInput;
  /** Salt and UUID are made from it: the same image gives the same tree. */
  readonly seed: string;
  readonly apart: boolean;
}

export type VerityImage = {
  /** The file system, filled up to a whole block, and the tree behind it unless it is apart. */
  readonly image: BlobArtifact;
  /** The tree that is apart; else empty. */
  readonly hashes: BlobArtifact;
  readonly description: BlobArtifact;
  /** Hex, as text. */
  readonly rootHash: BlobArtifact;
};

export function verityStage({
  name,
  image,
  seed,
  apart,
}: VerityStageOptions): Stage<{ image: BlobInput }, VerityImage> {
  return defineStage<{ image: BlobInput }, VerityImage>({
    name,
    kind: "verity",
    version: 2, // Since 2, trees apart.
    inputs: { image },
    params: { seed, apart },
    outputs: ["image", "hashes", "description", "rootHash"],
    run: async ({ inputs, store, progress, signal }) => {
      const { VerityHasher } = await import("../formats/verity.ts");
      const salt = createHash("sha256").update(`${seed} verity salt`).digest();
      const hasher = new VerityHasher({ salt, uuid: guidBytes(seededUuid(seed, "verity")) });
      const { size } = inputs.image;
      let tree: VerityTree | undefined;
      const chunks = function* (): Generator<Uint8Array> {
        let done = 0;
        for (const chunk of store.blobs.read(inputs.image)) {
          signal.throwIfAborted();
          hasher.update(chunk);
          yield chunk;
          done += chunk.length;
          progress(done, { total: size, what: "hashing" });
        }
        yield Buffer.alloc(alignUp(size, VERITY_BLOCK) - size);
        tree = hasher.end();
        if (!apart) yield tree.bytes;
      };
      const whole = blobArtifact(store.blobs.putSync(chunks()));
      const { rootHash, dataBlocks } = tree!;
      const description: VerityDescription = {
        ...{ rootHash, dataBlocks, salt: salt.toString("hex"), hashOffset: apart ? 0 : dataBlocks * VERITY_BLOCK },
      };
      return {
        image: whole,
        hashes: blobArtifact(store.blobs.put(apart ? tree!.bytes : "")),
        description: blobArtifact(store.blobs.put(JSON.stringify(description))),
        rootHash: blobArtifact(store.blobs.put(rootHash)),
      };
    },
  });
}
