/** What stages give and take: a file or a file tree, named by digest. */
import type { Digest } from "../base/digest.ts";

export interface BlobArtifact extends Digest {
  readonly kind: "blob";
}

/** The digest and size are those of the tree's canonical encoding (formats/filetree-codec.ts). */
export interface TreeArtifact extends Digest {
  readonly kind: "tree";
}

export type Artifact = BlobArtifact | TreeArtifact;

export const blobArtifact = (digest: Digest): BlobArtifact => ({ kind: "blob", hash: digest.hash, size: digest.size });
export const treeArtifact = (digest: Digest): TreeArtifact => ({ kind: "tree", hash: digest.hash, size: digest.size });
