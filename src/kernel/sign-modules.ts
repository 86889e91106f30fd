/**
 * The stage that signs a kernel's modules: each gets a signature of the key in place of any that it had. See
 * docs/decisions/0020-appended-and-detached-signatures.md.
 */
import { zstdCompressSync } from "node:zlib";
import { comparePaths } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import type { TreeEntry } from "../formats/filetree.ts";
import { appendSignature, splitModule } from "../formats/module-signature.ts";
import { plainDirectory } from "../formats/tree-builder.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
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
  /** The project's `signatures/`. */
  readonly signatures: TreeInput | undefined;
  /** Whether the secret is here. */
  readonly here: boolean;
  /** Opened when the stage runs: a signature of a module's bytes, or what is to be asked for. */
  readonly open: (given: {
    readonly store: Store;
    readonly certificate: BlobArtifact;
    readonly signatures: TreeArtifact | undefined;
  }) => (module: Buffer, path: string) => Promise<{ readonly signature: Uint8Array } | { readonly wanted: object }>;
}

type SignModulesInputs = {
  modules: TreeInput;
  config: BlobInput;
  certificate: BlobInput;
  signatures: TreeInput | undefined;
};

/**
 * `wanted`: the missing signatures as a JSON list, empty when there are none; `contents`: what they are of, by digest. A module
 * without a signature stays as it was.
 */
export type SignedModules = {
  readonly tree: TreeArtifact;
  readonly wanted: BlobArtifact;
  readonly contents: TreeArtifact;
};

export const SIGN_MODULES_KIND = "sign-modules";

/** Throws KCONFIG_INVALID for a kernel that checks no signatures, UNSUPPORTED for modules in a compression that is not written here. */
export function signModulesStage(options: SignModulesOptions): Stage<SignModulesInputs, SignedModules> {
  const { name, modules, config, certificate, signatures, key, here, open } = options;
  return defineStage<SignModulesInputs, SignedModules>({
    name,
    kind: SIGN_MODULES_KIND,
    version: 2, // Since 2, signatures made elsewhere.
    inputs: { modules, config, certificate, signatures },
    params: { key, here },
    outputs: ["tree", "wanted", "contents"],
    run: async ({ inputs, store, progress, signal }) => {
      requireSignatures(store.blobs.readAll(inputs.config).toString("utf8"), name);
      const sign = open({ store, certificate: inputs.certificate, signatures: inputs.signatures });
      const wanted: object[] = [];
      const contents = new Map<string, TreeEntry>();
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
        const { module } = splitModule(await readModule(store, entry), entry.path);
        const signed = await sign(module, entry.path);
        if ("signature" in signed) {
          // The kernel looks at what has been unpacked: the signature goes inside.
          const file = packed(appendSignature(module, signed.signature), entry.path);
          entries.push({ ...entry, content: store.blobs.put(file) });
        } else {
          entries.push(entry);
          wanted.push(signed.wanted);
          const content = store.blobs.put(module);
          contents.set(content.hash, { type: "file", path: content.hash, mode: 0o644, uid: 0, gid: 0, content });
        }
        if (++done % 64 === 0) progress(done, { total, unit: "files", what: "signing modules" });
      }
      const sorted = [...contents.values()].sort((a, b) => comparePaths(a.path, b.path));
      return {
        tree: store.putTree(entries),
        wanted: blobArtifact(store.blobs.put(wanted.length === 0 ? "" : JSON.stringify(wanted))),
        contents: store.putTree([plainDirectory(""), ...sorted]),
      };
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
