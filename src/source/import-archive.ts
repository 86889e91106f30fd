/**
 * The stage that turns an archive (tar in any compression, newc cpio, a Debian package) into a tree. The uncompressed
 * archive is kept whole as one blob, its pack, and the tree's entries point into it: one sequential write, however many
 * files there are.
 */
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import type { BlobArtifact, TreeArtifact } from "../store/artifact.ts";

export type ImportedArchive = {
  readonly tree: TreeArtifact;
  readonly pack: BlobArtifact;
};

/** `links`: hard links to files of layers below, as JSON: [[path, target], …]. */
export type ImportedLayer = ImportedArchive & { readonly links: BlobArtifact };

/** Bytes that an archive may unpack to: a few kilobytes can unpack to a full disk. */
export interface UnpackLimits {
  readonly tar: number;
  /** It is read as a whole, and no larger file can be. */
  readonly cpio: number;
}

const LIMITS: UnpackLimits = { tar: 16 * 2 ** 30, cpio: 2 ** 31 - 1 };

/** `what` stands in errors: a package's or file's name. Throws FORMAT_INVALID, PATH_UNSAFE, LIMIT_EXCEEDED. */
export function importArchive({
  name,
  archive,
  what,
  limits = LIMITS,
}: {
  name: string;
  archive: BlobInput;
  what: string;
  limits?: UnpackLimits;
}): Stage<{ archive: BlobInput }, ImportedArchive> {
  return defineStage<{ archive: BlobInput }, ImportedArchive>({
    name,
    kind: "import-archive",
    version: 2,
    inputs: { archive },
    params: {},
    outputs: ["tree", "pack"],
    run: async (ctx) => (await import("./archive-import.ts")).runImportArchive(ctx, { what, limits }),
  });
}

/**
 * As `importArchive`, for a layer of a container image: always tar, its paths may start with a slash, and its hard links
 * may point to files of layers below. Whiteouts are entries like others here.
 */
export function importLayer({
  name,
  layer,
  what,
  limits = LIMITS,
}: {
  name: string;
  layer: BlobInput;
  what: string;
  limits?: Pick<UnpackLimits, "tar">;
}): Stage<{ layer: BlobInput }, ImportedLayer> {
  return defineStage<{ layer: BlobInput }, ImportedLayer>({
    name,
    kind: "import-layer",
    version: 1,
    inputs: { layer },
    params: {},
    outputs: ["tree", "pack", "links"],
    run: async (ctx) => (await import("./archive-import.ts")).runImportLayer(ctx, { what, limit: limits.tar }),
  });
}
