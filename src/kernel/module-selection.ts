/** The stage that takes the chosen modules and their dependencies out of a kernel's module tree. */
import { comparePaths } from "../base/bytes.ts";
import { type FileEntry, parentPath, type TreeEntry } from "../formats/filetree.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import { modulesDep, selectModules } from "./module-closure.ts";
import { loadModuleIndex, readModule } from "./module-index.ts";

export interface ModuleSelectionOptions {
  readonly name: string;
  readonly modules: TreeInput;
  readonly index: BlobInput;
  readonly names: readonly string[];
  /** Taken where the kernel has them as modules, passed over where not. */
  readonly optional: readonly string[];
}

export type SelectionOutputs = {
  /** Modules (uncompressed) and their modules.dep: all that insmod and modprobe need. */
  readonly tree: TreeArtifact;
  /** JSON array of absolute paths in load order. */
  readonly loadList: BlobArtifact;
  /** JSON array of firmware names below /lib/firmware that the modules may ask for. */
  readonly firmware: BlobArtifact;
};

export function selectModulesStage(
  options: ModuleSelectionOptions,
): Stage<{ modules: TreeInput; index: BlobInput }, SelectionOutputs> {
  return defineStage<{ modules: TreeInput; index: BlobInput }, SelectionOutputs>({
    name: options.name,
    kind: "module-selection",
    version: 2,
    inputs: { modules: options.modules, index: options.index },
    params: { names: options.names, optional: options.optional },
    outputs: ["tree", "loadList", "firmware"],
    run: async ({ inputs, store }) => {
      const index = loadModuleIndex(store, inputs.index);
      const selection = selectModules(index, options);
      const files = new Map(store.getTree(inputs.modules).map((entry) => [entry.path, entry]));
      const tree = new Map<string, TreeEntry>();
      const addFile = (path: string, content: FileEntry["content"]) => {
        for (let parent = parentPath(path); ; parent = parentPath(parent)) {
          tree.set(parent, { type: "directory", path: parent, mode: 0o755, uid: 0, gid: 0 });
          if (parent === "") break;
        }
        tree.set(path, { type: "file", path, mode: 0o644, uid: 0, gid: 0, content });
      };
      const order: string[] = [];
      for (const name of selection.order) {
        const entry = files.get(index.modules[name]!.path) as FileEntry;
        const path = entry.path.replace(/\.(xz|zst|gz)$/, "");
        addFile(path, path === entry.path ? entry.content : store.blobs.put(await readModule(store, entry)));
        order.push(`/${path}`);
      }
      if (order.length > 0)
        addFile(`lib/modules/${index.release}/modules.dep`, store.blobs.put(modulesDep(index, selection.order)));
      return {
        tree: store.putTree([...tree.values()].sort((a, b) => comparePaths(a.path, b.path))),
        loadList: blobArtifact(store.blobs.put(JSON.stringify(order))),
        firmware: blobArtifact(store.blobs.put(JSON.stringify(selection.firmware))),
      };
    },
  });
}
