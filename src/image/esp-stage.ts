/** The stages that put files on an EFI system partition: a FAT image, or a tree for a directory. */
import { comparePaths } from "../base/bytes.ts";
import type { FatItem } from "../formats/fat.ts";
import { type FileTree, parentPath, type TreeEntry } from "../formats/filetree.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { type EfiArchitecture, type EspFile, espItems } from "./esp.ts";

export interface EspStageOptions {
  readonly name: string;
  readonly architecture: EfiArchitecture;
  /** The first is the boot program; `path` of the others says where they go. */
  readonly boot: BlobInput;
  readonly files: readonly { readonly path: string; readonly content: BlobInput }[];
  readonly label: string;
  /** Bytes; absent: what the files need. */
  readonly size?: number | undefined;
  /** The volume id is made from it. */
  readonly seed: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
}

type EspInputs = { boot: BlobInput; files: readonly BlobInput[] };

export function espImageStage(options: EspStageOptions): Stage<EspInputs, { image: BlobArtifact }> {
  const { label, size, seed, epoch } = options;
  return defineStage({
    name: options.name,
    kind: "esp-image",
    version: 1,
    inputs: { boot: options.boot, files: options.files.map((file) => file.content) },
    params: {
      architecture: options.architecture,
      paths: options.files.map((file) => file.path),
      label,
      size: size ?? null,
      seed,
      epoch,
    },
    outputs: ["image"],
    run: async ({ inputs, store }) => {
      const { encodeFat } = await import("../formats/fat.ts");
      const fat = encodeFat(espFiles(options, { inputs, store }), {
        seed,
        epoch,
        label,
        ...(size !== undefined && { size }),
      });
      return { image: blobArtifact(store.blobs.putSparse(fat.writes(), fat.size)) };
    },
  });
}

export function espTreeStage(options: EspStageOptions): Stage<EspInputs, { tree: TreeArtifact }> {
  return defineStage({
    name: options.name,
    kind: "esp-tree",
    version: 1,
    inputs: { boot: options.boot, files: options.files.map((file) => file.content) },
    params: { architecture: options.architecture, paths: options.files.map((file) => file.path) },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const blobs = [inputs.boot, ...inputs.files];
      const tree = new Map<string, TreeEntry>();
      for (const [i, item] of espFiles(options, { inputs, store }).entries()) {
        addParents(tree, item.path);
        const { hash, size } = blobs[i]!;
        tree.set(item.path, { type: "file", path: item.path, mode: 0o644, uid: 0, gid: 0, content: { hash, size } });
      }
      return { tree: store.putTree(sorted(tree)) };
    },
  });
}

/** The items of the FAT file system, contents out of the store. */
export function espFiles(
  { architecture, files }: Pick<EspStageOptions, "architecture" | "files">,
  { inputs, store }: { inputs: { boot: BlobArtifact; files: readonly BlobArtifact[] }; store: Store },
): FatItem[] {
  const file = (blob: BlobArtifact): EspFile => ({
    size: blob.size,
    read: () => store.blobs.read(blob),
    content: { hash: blob.hash, size: blob.size },
  });
  return espItems({
    architecture,
    boot: file(inputs.boot),
    files: Object.fromEntries(files.map(({ path }, i) => [path, file(inputs.files[i]!)])),
  });
}

function addParents(tree: Map<string, TreeEntry>, path: string): void {
  for (let parent = parentPath(path); ; parent = parentPath(parent)) {
    tree.set(parent, { type: "directory", path: parent, mode: 0o755, uid: 0, gid: 0 });
    if (parent === "") return;
  }
}

const sorted = (tree: Map<string, TreeEntry>): FileTree =>
  [...tree.values()].sort((a, b) => comparePaths(a.path, b.path));
