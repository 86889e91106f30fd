/** The stages that turn a local container image into a tree: its layers into the store, each unpacked once, then one above the other. */
import { BootwrightError } from "../base/errors.ts";
import type { OciDescriptor } from "../formats/oci.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import { type OciLayout, readOciBlob } from "./layout.ts";

/** Brings a layer's blob into the store. Its identity is its digest, as that of a download: which layout has it is no part of it. */
export function copyOciLayer(
  layout: OciLayout,
  layer: OciDescriptor,
): Stage<Record<never, never>, { file: BlobArtifact }> {
  const file = blobArtifact(layer);
  const what = `${layout.label}: layer sha256:${layer.hash.slice(0, 12)}`;
  return defineStage<Record<never, never>, { file: BlobArtifact }>({
    name: `layer:${layer.hash.slice(0, 12)}`,
    kind: "fetch",
    version: 1,
    inputs: {},
    params: { sha256: layer.hash, size: layer.size },
    outputs: ["file"],
    pinned: { file },
    run: async ({ store, signal, progress }) => {
      const chunks = function* () {
        let done = 0;
        for (const chunk of readOciBlob(layout, layer)) {
          signal.throwIfAborted();
          done += chunk.length;
          progress(done, { total: layer.size, what: "copying" });
          yield chunk;
        }
      };
      await store.blobs.putStream(chunks(), { expected: file, what });
      return { file };
    },
  });
}

export interface UnpackedLayer {
  readonly tree: TreeInput;
  readonly pack: BlobInput;
  readonly links: BlobInput;
  /** SHA-256 that the uncompressed tar must have. */
  readonly diffId: string;
}

/** Throws DIGEST_MISMATCH, FORMAT_INVALID, PATH_UNSAFE, TREE_CONFLICT. */
export function ociLayers(
  name: string,
  layers: readonly UnpackedLayer[],
): Stage<
  { trees: readonly TreeInput[]; packs: readonly BlobInput[]; links: readonly BlobInput[] },
  { tree: TreeArtifact }
> {
  const diffIds = layers.map(({ diffId }) => diffId);
  return defineStage({
    name,
    kind: "oci-layers",
    version: 1,
    inputs: {
      trees: layers.map(({ tree }) => tree),
      packs: layers.map(({ pack }) => pack),
      links: layers.map(({ links }) => links),
    },
    params: { diffIds },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const { applyOciLayers } = await import("../formats/oci-layers.ts");
      for (const [i, pack] of inputs.packs.entries())
        if (pack.hash !== diffIds[i])
          throw new BootwrightError(
            "DIGEST_MISMATCH",
            `${name}: layer ${i + 1} unpacks to sha256:${pack.hash}, but the image's config says sha256:${diffIds[i]}`,
          );
      const unpacked = inputs.trees.map((tree, i) => ({
        tree: store.getTree(tree),
        links: JSON.parse(store.blobs.readAll(inputs.links[i]!).toString()) as [string, string][],
        what: `${name}: layer ${i + 1}`,
      }));
      return { tree: store.putTree(applyOciLayers(unpacked)) };
    },
  });
}
