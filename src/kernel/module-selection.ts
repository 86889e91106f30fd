/** The stage that takes the chosen modules and their dependencies out of a kernel's module tree. */
import { comparePaths } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { type FileEntry, parentPath, type TreeEntry } from "../formats/filetree.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import { aliasFile, modulesForDevices, parseDeviceList } from "./device-aliases.ts";
import { modulesDep, selectModules } from "./module-closure.ts";
import { loadDeviceAliases, loadModuleIndex, type ModuleIndex, readModule } from "./module-index.ts";

export interface ModuleSelectionOptions {
  readonly name: string;
  readonly modules: TreeInput;
  readonly index: BlobInput;
  /** Patterns of devices, as the index stage gives them. */
  readonly devices: BlobInput;
  /** Loaded first, and later; or every module there is. */
  readonly choice: "all" | { readonly first: readonly string[]; readonly later: readonly string[] };
  /** A list of devices, one modalias a line, whose modules are loaded first, too. */
  readonly deviceList?: BlobInput | undefined;
  /** Taken where the kernel has them as modules, passed over where not. */
  readonly optional: readonly string[];
}

export type SelectionOutputs = {
  /** Modules (uncompressed), their modules.dep and modules.alias: all that insmod and modprobe need. */
  readonly tree: TreeArtifact;
  /** JSON arrays of absolute paths in load order: { first, later }. */
  readonly loadList: BlobArtifact;
  /** JSON array of firmware names below /lib/firmware that the modules may ask for. */
  readonly firmware: BlobArtifact;
};

type SelectionInputs = {
  modules: TreeInput;
  index: BlobInput;
  devices: BlobInput;
  deviceList: BlobInput | undefined;
};

export function selectModulesStage(options: ModuleSelectionOptions): Stage<SelectionInputs, SelectionOutputs> {
  const { choice, optional } = options;
  return defineStage<SelectionInputs, SelectionOutputs>({
    name: options.name,
    kind: "module-selection",
    version: 3, // Since 3, in two steps and with modules.alias.
    inputs: {
      modules: options.modules,
      index: options.index,
      devices: options.devices,
      deviceList: options.deviceList,
    },
    params: { choice, optional },
    outputs: ["tree", "loadList", "firmware"],
    run: async ({ inputs, store, signal, progress }) => {
      const index = loadModuleIndex(store, inputs.index);
      const aliases = loadDeviceAliases(store, inputs.devices);
      const driven =
        inputs.deviceList === undefined
          ? []
          : driversOf(parseDeviceList(store.blobs.readAll(inputs.deviceList).toString()), { index, aliases });
      const first = choice === "all" ? [] : [...choice.first, ...driven];
      const later = choice === "all" ? [] : choice.later;
      const early = selectModules(index, { names: first, optional });
      const names = choice === "all" ? Object.keys(index.modules).sort() : [...first, ...later];
      const { order, firmware } = selectModules(index, { names, optional });

      const files = new Map(store.getTree(inputs.modules).map((entry) => [entry.path, entry]));
      const tree = new TreeDraft();
      const paths = new Map<string, string>();
      for (const [i, name] of order.entries()) {
        signal.throwIfAborted();
        if (i % 64 === 0) progress(i, { total: order.length, unit: "files", what: "taking modules" });
        const entry = files.get(index.modules[name]!.path) as FileEntry;
        const path = entry.path.replace(/\.(xz|zst|gz)$/, "");
        tree.addFile(path, path === entry.path ? entry.content : store.blobs.put(await readModule(store, entry)));
        paths.set(name, `/${path}`);
      }
      if (order.length > 0) {
        const home = `lib/modules/${index.release}`;
        tree.addFile(`${home}/modules.dep`, store.blobs.put(modulesDep(index, order)));
        for (const name of ["modules.builtin", "modules.builtin.modinfo"]) {
          const entry = files.get(`${home}/${name}`);
          if (entry?.type === "file") tree.addFile(entry.path, entry.content);
        }
        const taken = new Set(order);
        const used = Object.entries(aliases)
          .map(([pattern, modules]) => [pattern, modules.filter((name) => taken.has(name))] as const)
          .filter(([, modules]) => modules.length > 0);
        tree.addFile(`${home}/modules.alias`, store.blobs.put(aliasFile(Object.fromEntries(used))));
      }
      const loaded = new Set(early.order);
      const lists = {
        first: early.order.map((name) => paths.get(name)!),
        later: choice === "all" ? [] : order.filter((name) => !loaded.has(name)).map((name) => paths.get(name)!),
      };
      return {
        tree: store.putTree(tree.entries()),
        loadList: blobArtifact(store.blobs.put(JSON.stringify(lists))),
        firmware: blobArtifact(store.blobs.put(JSON.stringify(firmware))),
      };
    },
  });
}

/** Throws MODULE_UNKNOWN for a list of which this kernel drives nothing: it is then no list of devices. */
function driversOf(
  devices: readonly string[],
  { index, aliases }: { index: ModuleIndex; aliases: ReturnType<typeof loadDeviceAliases> },
): string[] {
  const drivers = modulesForDevices(aliases, devices);
  if (drivers.length === 0)
    throw new BootwrightError(
      "MODULE_UNKNOWN",
      `none of the ${devices.length} devices of the list is driven by a module of the kernel ${index.release}`,
      { hint: "make the list on the machine: cat $(find /sys/devices -name modalias) | sort -u" },
    );
  return drivers;
}

/** Files with the directories above them. */
class TreeDraft {
  readonly #entries = new Map<string, TreeEntry>();

  addFile(path: string, content: FileEntry["content"]): void {
    for (let parent = parentPath(path); ; parent = parentPath(parent)) {
      this.#entries.set(parent, { type: "directory", path: parent, mode: 0o755, uid: 0, gid: 0 });
      if (parent === "") break;
    }
    this.#entries.set(path, { type: "file", path, mode: 0o644, uid: 0, gid: 0, content });
  }

  entries(): TreeEntry[] {
    return [...this.#entries.values()].sort((a, b) => comparePaths(a.path, b.path));
  }
}
