/** What stages give and take: a file, a file that is put together from others, or a file tree, named by digest. */
import type { Digest } from "../base/digest.ts";

export interface BlobArtifact extends Digest {
  readonly kind: "blob";
}

/** The digest and size are those of the tree's canonical encoding (formats/filetree-codec.ts). */
export interface TreeArtifact extends Digest {
  readonly kind: "tree";
}

/** A file whose bytes lie in other blobs. The digest and size are those of the canonical encoding of its extents (formats/extents.ts). */
export interface ExtentsArtifact extends Digest {
  readonly kind: "extents";
  /** Bytes of the file itself. */
  readonly length: number;
}

export type Artifact = BlobArtifact | TreeArtifact | ExtentsArtifact;

export const blobArtifact = (digest: Digest): BlobArtifact => ({ kind: "blob", hash: digest.hash, size: digest.size });
export const treeArtifact = (digest: Digest): TreeArtifact => ({ kind: "tree", hash: digest.hash, size: digest.size });
