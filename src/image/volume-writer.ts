/** Writes what of a volume is not a content of the store, and says where everything lies. */
import type { ExtentsArtifact, TreeArtifact } from "../store/artifact.ts";
import { ExtentsWriter } from "../store/extents-writer.ts";
import type { Store } from "../store/store.ts";
import { layOutVolume, type VolumeOptions } from "./volume.ts";

/** Throws as `layOutVolume` does. */
export function writeVolume(
  store: Store,
  { tree, ...options }: Omit<VolumeOptions, "read"> & { readonly tree: TreeArtifact },
): { image: ExtentsArtifact } {
  const reader = store.reader({ reuse: true });
  try {
    const volume = layOutVolume(store.getTree(tree), { ...options, read: reader.read });
    const image = new ExtentsWriter(store);
    image.add(volume.pieces(), 0);
    return { image: image.done(volume.size) };
  } finally {
    reader.close();
  }
}
