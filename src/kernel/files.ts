/** A kernel out of local files: someone else built it. */

import { comparePaths } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import type { FileTree } from "../formats/filetree.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { blobArtifact } from "../store/artifact.ts";
import { openBlobSource } from "../store/blob-source.ts";
import { TREE_ROOT } from "./module-tree.ts";
import type { KernelOutputs } from "./package.ts";

export interface KernelFilesOptions {
  readonly name: string;
  readonly image: BlobInput;
  readonly config: BlobInput | undefined;
  /** The directory of one release: it holds `kernel/` and modules.builtin. */
  readonly modules: TreeInput | undefined;
}

type FileInputs = { image: BlobInput; config: BlobInput | undefined; modules: TreeInput | undefined };

/** Throws UNSUPPORTED when the image does not tell its release and there are modules to place under it. */
export function kernelFromFiles(options: KernelFilesOptions): Stage<FileInputs, KernelOutputs> {
  return defineStage<FileInputs, KernelOutputs>({
    name: options.name,
    kind: "kernel-files",
    version: 2,
    inputs: { image: options.image, config: options.config, modules: options.modules },
    params: {},
    outputs: ["image", "config", "systemMap", "release", "modules"],
    run: async ({ inputs, store }) => {
      const { readLinuxImage } = await import("../formats/linux-image.ts");
      using source = openBlobSource(store.blobs, inputs.image);
      const { release } = readLinuxImage(source);
      if (release === undefined && inputs.modules !== undefined)
        throw new BootwrightError(
          "UNSUPPORTED",
          "this kernel image does not say its release, so its modules have no place",
          { hint: "leave `modules` out, or use an image with a version in its header" },
        );
      const empty = blobArtifact(store.blobs.put(""));
      return {
        image: inputs.image,
        config: inputs.config ?? empty,
        systemMap: empty,
        release: blobArtifact(store.blobs.put(release ?? "")),
        modules: store.putTree(
          inputs.modules === undefined ? TREE_ROOT : placed(store.getTree(inputs.modules), release!),
        ),
      };
    },
  });
}

function placed(tree: FileTree, release: string): FileTree {
  const home = `lib/modules/${release}`;
  // A directory of the host has no entry for itself.
  const root: FileTree = tree.some((entry) => entry.path === "") ? [] : [{ ...TREE_ROOT[0]!, path: "" }];
  const entries = [...root, ...tree]
    .filter((entry) => entry.type !== "symlink")
    .map((entry) => ({ ...entry, path: entry.path === "" ? home : `${home}/${entry.path}` }));
  return [...TREE_ROOT, ...entries].sort((a, b) => comparePaths(a.path, b.path));
}
