/** The stage that packs a kernel into a bundle: `tar.zst` with its manifest first, the same bytes for the same parts. */
import { comparePaths } from "../base/bytes.ts";
import { withProgress } from "../base/chunk-progress.ts";
import { BootwrightError } from "../base/errors.ts";
import type { FileEntry, FileTree, TreeEntry } from "../formats/filetree.ts";
import { TreeBuilder } from "../formats/tree-builder.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { notableFeatures, parseKernelConfig } from "./features.ts";
import { type BundleIdentity, type BundleManifest, encodeManifest, IMAGE_NAMES, MANIFEST } from "./manifest.ts";

/** A part that is absent or empty is left out of the bundle. */
export interface BundleParts {
  /** bzImage or Image. */
  readonly image: BlobInput | undefined;
  /** ELF. */
  readonly vmlinux: BlobInput | undefined;
  readonly initrd: BlobInput | undefined;
  readonly config: BlobInput | undefined;
  readonly systemMap: BlobInput | undefined;
  /** Text of `uname -r`. */
  readonly release: BlobInput | undefined;
  /** Paths start with lib/modules/RELEASE. */
  readonly modules: TreeInput | undefined;
}

export interface BundleOptions {
  readonly name: string;
  readonly identity: Omit<BundleIdentity, "version"> & {
    /** Default: the kernel's release. */
    readonly version?: string | undefined;
  };
  readonly parts: BundleParts;
  readonly provenance: Readonly<Record<string, string>>;
  /** Seconds since the epoch: every file's time. */
  readonly epoch: number;
}

type BundleInputs = { readonly [K in keyof BundleParts]: BundleParts[K] };

/** Where more time brings little: 15 takes four times as long for two percent. */
const LEVEL = 9;

/** Throws UNSUPPORTED when there is no kernel, or no version to call it by. */
export function bundleStage(
  options: BundleOptions,
): Stage<BundleInputs, { bundle: BlobArtifact; manifest: BlobArtifact }> {
  const { name, identity, parts, provenance, epoch } = options;
  return defineStage<BundleInputs, { bundle: BlobArtifact; manifest: BlobArtifact }>({
    name,
    kind: "bundle",
    version: 2,
    inputs: parts,
    params: { ...identity, version: identity.version ?? null, provenance, epoch, level: LEVEL },
    outputs: ["bundle", "manifest"],
    weight: { cpu: 2 },
    run: async ({ inputs, store, progress, signal }) => {
      const { encodeTar } = await import("../formats/tar-writer.ts");
      const { compress } = await import("../formats/compress.ts");
      const text = (blob: BlobArtifact | undefined): string =>
        blob === undefined ? "" : store.blobs.readAll(blob).toString("utf8");
      const release = text(inputs.release).trim();
      const version = identity.version ?? release;
      if (version === "")
        throw new BootwrightError("UNSUPPORTED", `kernel ${identity.name} does not say its release`, {
          hint: "give the bundle a version",
        });
      const named: readonly (readonly [string, BlobArtifact | undefined])[] = [
        [IMAGE_NAMES[identity.arch][0], inputs.image],
        ["vmlinux", inputs.vmlinux],
        ["initrd.img", inputs.initrd],
        ["config", inputs.config],
        ["System.map", inputs.systemMap],
      ];
      const present = named.filter((one): one is readonly [string, BlobArtifact] => (one[1]?.size ?? 0) > 0);
      const names = new Set(present.map(([path]) => path));
      if (!IMAGE_NAMES[identity.arch].some((image) => names.has(image)))
        throw new BootwrightError("UNSUPPORTED", `bundle ${identity.name} would hold no kernel`);
      const entries = [
        ...present.map(
          ([path, { hash, size }]): TreeEntry => ({ ...PLAIN, type: "file", path, content: { hash, size } }),
        ),
        ...(inputs.modules === undefined ? [] : moduleEntries(store.getTree(inputs.modules))),
      ];
      const files = entries.filter((entry) => entry.type === "file");
      const config = parseKernelConfig(text(inputs.config));
      const manifest = encodeManifest({
        ...identity,
        version,
        release,
        ...(names.has("config") && { config: inputs.config!.hash }),
        features: notableFeatures(config),
        provenance,
        files: Object.fromEntries(files.map(({ path, content: { hash, size } }) => [path, { hash, size }])),
      } satisfies BundleManifest);
      const manifestBlob = blobArtifact(store.blobs.put(manifest));
      const reader = store.reader();
      try {
        const total = files.reduce((sum, entry) => sum + entry.content.size, 0);
        const chunks = withProgress(
          encodeTar(manifestFirst(entries, manifestBlob), { read: reader.read, mtime: epoch }),
          (done) => {
            signal.throwIfAborted();
            progress(done, { total, what: "packing" });
          },
        );
        const bundle = await store.blobs.putStream(compress(chunks, { kind: "zstd", level: LEVEL }), { overlap: true });
        return { bundle: blobArtifact(bundle), manifest: manifestBlob };
      } finally {
        reader.close();
      }
    },
  });
}

const PLAIN = { mode: 0o644, uid: 0, gid: 0 } as const;

/** lib/modules/RELEASE/… → modules/RELEASE/…: plain files only, nobody's owner or time. */
function moduleEntries(tree: FileTree): readonly FileEntry[] {
  return tree.flatMap((entry): FileEntry[] => {
    if (entry.type !== "file" || !entry.path.startsWith("lib/modules/")) return [];
    return [{ ...PLAIN, type: "file", path: entry.path.slice("lib/".length), content: entry.content }];
  });
}

/** Whoever reads the archive as a stream knows what must come before it comes. */
function manifestFirst(entries: readonly TreeEntry[], manifest: BlobArtifact): FileTree {
  const builder = new TreeBuilder();
  for (const entry of entries) builder.add(entry, { origin: "bundle" });
  const { hash, size } = manifest;
  return [
    { ...PLAIN, type: "file", path: MANIFEST, content: { hash, size } },
    ...[...builder.build()].filter((entry) => entry.path !== "").sort((a, b) => comparePaths(a.path, b.path)),
  ];
}
