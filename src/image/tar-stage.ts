/** The stage that writes a tree as a tar archive: an artifact of its own, and what tools that pack file systems read. */
import { withProgress } from "../base/chunk-progress.ts";
import type { FileTree } from "../formats/filetree.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";

export interface TarStageOptions {
  readonly name: string;
  readonly tree: TreeInput;
  /** Seconds since the epoch, for entries without a time of their own. */
  readonly epoch: number;
  readonly compress: { readonly kind: "gzip" | "zstd"; readonly level: number } | undefined;
}

/** `archive` is the tar; `root` says what the root directory is, as shell text for sqfstar(1). */
export function tarStage(
  options: TarStageOptions,
): Stage<{ tree: TreeInput }, { archive: BlobArtifact; root: BlobArtifact }> {
  const { name, tree, epoch, compress: compression } = options;
  return defineStage({
    name,
    kind: "tar",
    version: 1,
    inputs: { tree },
    params: { epoch, compress: compression ?? null },
    outputs: ["archive", "root"],
    run: async ({ inputs, store, progress, signal }) => {
      const { compress } = await import("../formats/compress.ts");
      const { encodeTar } = await import("../formats/tar-writer.ts");
      const entries = store.getTree(inputs.tree);
      const total = entries.reduce((sum, entry) => sum + (entry.type === "file" ? entry.content.size : 0), 0);
      const reader = store.reader();
      try {
        const chunks = withProgress(encodeTar(entries, { read: reader.read, mtime: epoch }), (done) => {
          signal.throwIfAborted();
          progress(done, { total, what: "packing" });
        });
        const digest =
          compression === undefined
            ? store.blobs.putSync(chunks)
            : await store.blobs.putStream(compress(chunks, compression), { overlap: true });
        return { archive: blobArtifact(digest), root: blobArtifact(store.blobs.put(rootSettings(entries, epoch))) };
      } finally {
        reader.close();
      }
    },
  });
}

/**
 * sqfstar passes over the archive's own entry for the root directory. Mode and owner can be given as options; for the time
 * there is SOURCE_DATE_EPOCH alone, which also clamps what is newer: so it is the newest time in the tree.
 */
function rootSettings(tree: FileTree, epoch: number): string {
  const root = tree.find((entry) => entry.path === "");
  const newest = tree.reduce((time, entry) => Math.max(time, entry.mtime ?? epoch), 0);
  const options = `-root-mode ${(root?.mode ?? 0o755).toString(8)} -root-uid ${root?.uid ?? 0} -root-gid ${root?.gid ?? 0}`;
  return `export SOURCE_DATE_EPOCH=${newest}\nroot_options="${options}"\n`;
}
