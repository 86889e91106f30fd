/** The stage that reads every module's own description once, so that choosing modules later opens none. */
import { BootwrightError } from "../base/errors.ts";
import { canonicalJson, type Json } from "../base/json.ts";
import { decompress } from "../formats/decompress.ts";
import type { FileEntry } from "../formats/filetree.ts";
import { parseModinfo } from "../formats/modinfo.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { type DeviceAliases, isDeviceAlias } from "./device-aliases.ts";
import { isModuleFile, moduleName } from "./module-tree.ts";

export interface ModuleIndex {
  readonly release: string;
  readonly modules: Readonly<Record<string, IndexedModule>>;
  /** Names of modules that are part of the kernel image. */
  readonly builtin: readonly string[];
  /** Other names that modules go by ("crypto-crc32c") → module. Those of devices are an output of their own: there are many. */
  readonly aliases: Readonly<Record<string, string>>;
}

export interface IndexedModule {
  readonly path: string;
  readonly depends: readonly string[];
  readonly pre: readonly string[];
  readonly post: readonly string[];
  readonly firmware: readonly string[];
}

export function indexModules({
  name,
  modules,
}: {
  name: string;
  modules: TreeInput;
}): Stage<{ modules: TreeInput }, { index: BlobArtifact; devices: BlobArtifact }> {
  return defineStage({
    name,
    kind: "module-index",
    version: 2, // Since 2, with the patterns of devices.
    inputs: { modules },
    params: {},
    outputs: ["index", "devices"],
    run: async ({ inputs, store, progress, signal }) => {
      const tree = store.getTree(inputs.modules);
      const files = tree.filter((entry) => entry.type === "file" && isModuleFile(entry.path)) as FileEntry[];
      const release =
        tree.find((entry) => /^lib\/modules\/[^/]+$/.test(entry.path))?.path.slice("lib/modules/".length) ?? "";
      const found: Record<string, IndexedModule> = {};
      const aliases: Record<string, string> = {};
      const devices = new Map<string, Set<string>>();
      for (const [i, entry] of files.entries()) {
        signal.throwIfAborted();
        if (i % 64 === 0) progress(i, { total: files.length, unit: "files", what: "reading modules" });
        const module = moduleName(entry.path);
        const info = parseModinfo(await readModule(store, entry), entry.path);
        found[module] = {
          path: entry.path,
          depends: info.depends.map(moduleName),
          pre: info.softdepPre.map(moduleName),
          post: info.softdepPost.map(moduleName),
          firmware: info.firmware,
        };
        for (const alias of info.alias)
          if (!isDeviceAlias(alias)) aliases[moduleName(alias)] = module;
          else devices.set(alias, (devices.get(alias) ?? new Set()).add(module));
      }
      const list = tree.find((entry) => entry.path.endsWith("/modules.builtin"));
      const builtin =
        list?.type === "file"
          ? store.readContent(list.content).toString("utf8").split("\n").filter(Boolean).map(moduleName)
          : [];
      const index: ModuleIndex = { release, modules: found, builtin: builtin.sort(), aliases };
      const patterns: DeviceAliases = Object.fromEntries([...devices].map(([key, names]) => [key, [...names].sort()]));
      return {
        index: blobArtifact(store.blobs.put(canonicalJson(index as unknown as Json))),
        devices: blobArtifact(store.blobs.put(canonicalJson(patterns as unknown as Json))),
      };
    },
  });
}

export const loadModuleIndex = (store: Store, blob: BlobArtifact): ModuleIndex =>
  JSON.parse(store.blobs.readAll(blob).toString()) as ModuleIndex;

export const loadDeviceAliases = (store: Store, blob: BlobArtifact): DeviceAliases =>
  JSON.parse(store.blobs.readAll(blob).toString()) as DeviceAliases;

/** A module's ELF file; distributions also ship them compressed. */
export async function readModule(store: Store, entry: FileEntry): Promise<Buffer> {
  const raw = store.readContent(entry.content);
  if (entry.path.endsWith(".ko")) return raw;
  const chunks: Uint8Array[] = [];
  for await (const chunk of decompress([raw], { what: entry.path, maxSize: MAX_MODULE })) chunks.push(chunk);
  const module = Buffer.concat(chunks);
  if (module.length === 0) throw new BootwrightError("FORMAT_INVALID", `${entry.path}: empty module`);
  return module;
}

/** Bytes; the largest modules (amdgpu with debug symbols) stay below. */
const MAX_MODULE = 512 * 1024 * 1024;
