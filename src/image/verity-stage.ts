/** The stage that puts a dm-verity hash tree behind a read-only file system, and says by which words it is opened. */
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
  /** Bytes from the image's start to the superblock of the tree. */
  readonly hashOffset: number;
}

export interface VerityStageOptions {
  readonly name: string;
  readonly image: BlobInput;
  /** Salt and UUID are made from it: the same image gives the same tree. */
  readonly seed: string;
}

export type VerityImage = {
  /** The file system, filled up to a whole block, and the tree behind it. */
  readonly image: BlobArtifact;
  readonly description: BlobArtifact;
  /** Hex, as text. */
  readonly rootHash: BlobArtifact;
};

export function verityStage({ name, image, seed }: VerityStageOptions): Stage<{ image: BlobInput }, VerityImage> {
  return defineStage<{ image: BlobInput }, VerityImage>({
    name,
    kind: "verity",
    version: 1,
    inputs: { image },
    params: { seed },
    outputs: ["image", "description", "rootHash"],
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
        yield tree.bytes;
      };
      const whole = blobArtifact(store.blobs.putSync(chunks()));
      const { rootHash, dataBlocks } = tree!;
      const description: VerityDescription = {
        ...{ rootHash, dataBlocks, salt: salt.toString("hex"), hashOffset: dataBlocks * VERITY_BLOCK },
      };
      return {
        image: whole,
        description: blobArtifact(store.blobs.put(JSON.stringify(description))),
        rootHash: blobArtifact(store.blobs.put(rootHash)),
      };
    },
  });
}
