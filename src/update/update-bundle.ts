/**
 * The stage that makes an update: a directory with the images of a release, a manifest with the digest of each, and its
 * signature. `update` is lines of words, so that a shell script reads it: bootwright-update 1, name, version, release, and
 * `image NAME SIZE SHA256 FILE` for each.
 */

import type { KeyObject } from "node:crypto";
import type { TreeEntry } from "../formats/filetree.ts";
import { signMinisign } from "../formats/minisign.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";

export interface UpdateBundleOptions {
  readonly name: string;
  readonly product: string;
  readonly version: string;
  readonly release: number;
  /** By the name of the slot's partitions, without -a and -b; "esp" is the FAT file system with the EFI file. */
  readonly images: Readonly<Record<string, BlobInput>>;
  /** Of the key that signs: what tells two keys apart in the stage's own key. */
  readonly keyNumber: string;
  /** Opened only when the stage runs. */
  readonly secret: () => KeyObject;
}

type BundleInputs = { readonly images: readonly BlobInput[] };

export const MANIFEST = "update";

export function updateBundle(options: UpdateBundleOptions): Stage<BundleInputs, { tree: TreeArtifact }> {
  const { name, product, version, release, images, keyNumber, secret } = options;
  const names = Object.keys(images);
  return defineStage<BundleInputs, { tree: TreeArtifact }>({
    name,
    kind: "update-bundle",
    version: 1,
    inputs: { images: Object.values(images) },
    params: { product, version, release, names, keyNumber },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const rows = inputs.images.map(({ hash, size }, i) => `image ${names[i]} ${size} ${hash} ${names[i]}.img`);
      const facts = ["bootwright-update 1", `name ${product}`, `version ${version}`, `release ${release}`];
      const manifest = Buffer.from(`${[...facts, ...rows].join("\n")}\n`);
      const signature = signMinisign(manifest, {
        secret: secret(),
        untrusted: `signature of an update of ${product}`,
        trusted: `${product} ${version} release ${release}`,
      });
      const file = (path: string, { hash, size }: { hash: string; size: number }): TreeEntry => ({
        ...{ type: "file", path, mode: 0o644, uid: 0, gid: 0, content: { hash, size } },
      });
      const entries = [
        ...inputs.images.map((image, i) => file(`${names[i]}.img`, image)),
        file(MANIFEST, store.blobs.put(manifest)),
        file(`${MANIFEST}.minisig`, store.blobs.put(signature)),
      ].sort((a, b) => (a.path < b.path ? -1 : 1));
      return { tree: store.putTree([{ type: "directory", path: "", mode: 0o755, uid: 0, gid: 0 }, ...entries]) };
    },
  });
}
