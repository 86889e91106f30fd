/**
 * The stage that signs a kernel's modules: each gets a signature of the key in place of any that it had. See
 * docs/decisions/0020-appended-and-detached-signatures.md.
 */
import { zstdCompressSync } from "node:zlib";
import { BootwrightError } from "../base/errors.ts";
import type { TreeEntry } from "../formats/filetree.ts";
import { signModule } from "../formats/module-signature.ts";
import type { Signer } from "../formats/pkcs7.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import { readModule } from "./module-index.ts";
import { isModuleFile } from "./module-tree.ts";

export interface SignModulesOptions {
  readonly name: string;
  readonly modules: TreeInput;
  /** The kernel's .config; empty where it is not known. */
  readonly config: BlobInput;
  readonly certificate: BlobInput;
  /** The key's name in the config. */
  readonly key: string;
  /** Opened when the stage runs. */
  readonly signer: () => Signer;
}

type SignModulesInputs = { modules: TreeInput; config: BlobInput; certificate: BlobInput };

/** Throws KCONFIG_INVALID for a kernel that checks no signatures, UNSUPPORTED for modules in a compression that is not written here. */
export function signModulesStage(options: SignModulesOptions): Stage<SignModulesInputs, { tree: TreeArtifact }> {
  const { name, modules, config, certificate, key, signer } = options;
  return defineStage<SignModulesInputs, { tree: TreeArtifact }>({
    name,
    kind: "sign-modules",
    version: 1,
    inputs: { modules, config, certificate },
    params: { key },
    outputs: ["tree"],
    run: async ({ inputs, store, progress, signal }) => {
      requireSignatures(store.blobs.readAll(inputs.config).toString("utf8"), name);
      const by = signer();
      const tree = store.getTree(inputs.modules);
      const total = tree.filter((entry) => entry.type === "file" && isModuleFile(entry.path)).length;
      const entries: TreeEntry[] = [];
      let done = 0;
      for (const entry of tree) {
        if (entry.type !== "file" || !isModuleFile(entry.path)) {
          entries.push(entry);
          continue;
        }
        signal.throwIfAborted();
        const file = await signModule(by, { file: await readModule(store, entry), what: entry.path });
        // The kernel looks at what has been unpacked: the signature goes inside.
        const { hash, size } = store.blobs.put(packed(file, entry.path));
        entries.push({ ...entry, content: { hash, size } });
        if (++done % 64 === 0) progress(done, { total, unit: "files", what: "signing modules" });
      }
      return { tree: store.putTree(entries) };
    },
  });
}

function packed(file: Buffer, path: string): Buffer {
  if (path.endsWith(".ko")) return file;
  if (path.endsWith(".ko.zst")) return zstdCompressSync(file);
  throw new BootwrightError("UNSUPPORTED", `${path} cannot be signed: what it is packed with is not written here`, {
    hint: 'sign modules that are not packed, or packed with zstd; of a kernel from source: moduleCompression: "zstd"',
  });
}

/** An empty config is one that nobody knows. */
function requireSignatures(config: string, name: string): void {
  if (config === "" || /^CONFIG_MODULE_SIG=y$/m.test(config)) return;
  throw new BootwrightError(
    "KCONFIG_INVALID",
    `${name}: this kernel has CONFIG_MODULE_SIG not set, and checks no module`,
    {
      hint: 'switch it on, with CONFIG_MODULE_SIG_FORCE to refuse others: config: { require: ["MODULE_SIG"] }; or take signModules away',
    },
  );
}
