/** A kernel out of its distribution package: image, config, System.map, release and the module tree. */
import { BootwrightError } from "../base/errors.ts";
import type { FileEntry, FileTree } from "../formats/filetree.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { TREE_ROOT } from "./module-tree.ts";

export type KernelOutputs = {
  /** bzImage or Image. */
  readonly image: BlobArtifact;
  readonly config: BlobArtifact;
  readonly systemMap: BlobArtifact;
  /** `uname -r`, without a newline. */
  readonly release: BlobArtifact;
  /** Paths start with lib/modules/RELEASE. */
  readonly modules: TreeArtifact;
};

/** The packages' trees: the kernel's own, and where modules come apart, theirs. Throws UNSUPPORTED when there is no boot/vmlinuz-*. */
export function kernelFromPackage({
  name,
  packages,
}: {
  name: string;
  packages: readonly TreeInput[];
}): Stage<{ packages: readonly TreeInput[] }, KernelOutputs> {
  return defineStage<{ packages: readonly TreeInput[] }, KernelOutputs>({
    name,
    kind: "kernel-package",
    version: 1,
    inputs: { packages },
    params: {},
    outputs: ["image", "config", "systemMap", "release", "modules"],
    run: async ({ inputs, store }) => {
      const files = inputs.packages.flatMap((tree) => [...store.getTree(tree)]);
      const image = files
        .filter((entry) => entry.type === "file")
        .find((entry) => /^boot\/vmlinu[xz]-[^/]+$/.test(entry.path));
      if (image === undefined)
        throw new BootwrightError("UNSUPPORTED", "the package holds no boot/vmlinuz-*: it is no kernel package");
      const release = image.path.slice(image.path.indexOf("-") + 1);
      const blob = (path: string): BlobArtifact =>
        copyOut(
          store,
          files.find((entry) => entry.path === path),
        );
      return {
        image: copyOut(store, image),
        config: blob(`boot/config-${release}`),
        systemMap: blob(`boot/System.map-${release}`),
        release: blobArtifact(store.blobs.put(release)),
        modules: store.putTree(moduleTree(files, release)),
      };
    },
  });
}

/** lib/modules/RELEASE without its links to build trees that are not there. */
function moduleTree(files: FileTree, release: string): FileTree {
  const found = files
    .map((entry) => (entry.path.startsWith("usr/lib/modules/") ? { ...entry, path: entry.path.slice(4) } : entry))
    .filter((entry) => entry.path.startsWith(`lib/modules/${release}/`) || entry.path === `lib/modules/${release}`)
    .filter((entry) => entry.type !== "symlink");
  const unique = new Map([...TREE_ROOT, ...found].map((entry) => [entry.path, entry]));
  return [...unique.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Packs are for trees; an image that others take as a whole becomes a blob of its own. Missing files become empty ones. */
function copyOut(store: Store, entry: FileTree[number] | undefined): BlobArtifact {
  if (entry?.type !== "file") return blobArtifact(store.blobs.put(""));
  return blobArtifact(store.blobs.putSync(store.read((entry as FileEntry).content)));
}
