/**
 * The stage that takes a bundle apart again: what its manifest lists is there with just these bytes, and nothing else is.
 * It reads the tree of the archive, which no directory has seen: what is refused has left nothing anywhere.
 */
import { comparePaths } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import type { FileEntry, FileTree, TreeEntry } from "../formats/filetree.ts";
import { readLinuxImage } from "../formats/linux-image.ts";
import { plainDirectory, TreeBuilder } from "../formats/tree-builder.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { openBlobSource } from "../store/blob-source.ts";
import type { Store } from "../store/store.ts";
import type { KernelDirectory } from "./bundle-directory.ts";
import { parseKernelConfig, requireFeatures } from "./features.ts";
import {
  type BundleIdentity,
  type BundleManifest,
  decodeManifest,
  describeBundle,
  IMAGE_NAMES,
  MANIFEST,
} from "./manifest.ts";

/** A bundle without bzImage and Image has its vmlinux as `image`. */
export type OpenedBundle = KernelDirectory & { readonly manifest: BlobArtifact };

export interface OpenBundleOptions {
  readonly name: string;
  /** The archive's tree. */
  readonly tree: TreeInput;
  /** What the index, or whoever asks, calls it. */
  readonly expected: Partial<BundleIdentity>;
  /** Options that the kernel must have: "VIRTIO_BLK", "EXT4_FS=y". */
  readonly requires: readonly string[];
}

/** Throws FORMAT_INVALID, PATH_UNSAFE, DIGEST_MISMATCH, SIZE_MISMATCH, ARCH_MISMATCH, KERNEL_UNFIT. */
export function openBundle(options: OpenBundleOptions): Stage<{ tree: TreeInput }, OpenedBundle> {
  const { name, expected, requires } = options;
  const what = expected.name ?? name;
  return defineStage<{ tree: TreeInput }, OpenedBundle>({
    name,
    kind: "open-bundle",
    version: 1,
    inputs: { tree: options.tree },
    params: { expected: { ...expected }, requires },
    outputs: ["image", "vmlinux", "initrd", "config", "systemMap", "release", "modules", "manifest"],
    run: async ({ inputs, store }) => {
      const tree = store.getTree(inputs.tree);
      const files = plainFiles(tree, what);
      const manifest = readManifest(store, { files, what });
      requireIdentity(manifest, { expected, what });
      requireFiles(manifest, { files, what });
      const part = (path: string): BlobArtifact => copyOut(store, files.get(path));
      const image = part(IMAGE_NAMES[manifest.arch].find((one) => files.has(one)) ?? "");
      if (image.size === 0)
        throw new BootwrightError("FORMAT_INVALID", `${what}: the bundle holds no kernel that ${manifest.arch} starts`);
      if (files.has(IMAGE_NAMES[manifest.arch][0])) requireArchitecture(store, { image, manifest, what });
      const config = part("config");
      requireFeatures(parseKernelConfig(store.blobs.readAll(config).toString("utf8")), {
        requires,
        what: `kernel ${describeBundle(manifest)}`,
      });
      return {
        image,
        vmlinux: part("vmlinux"),
        initrd: part("initrd.img"),
        config,
        systemMap: part("System.map"),
        release: blobArtifact(store.blobs.put(manifest.release)),
        modules: store.putTree(moduleTree(files)),
        manifest: part(MANIFEST),
      };
    },
  });
}

/** By path. A bundle is plain files in directories: a link in it could only lead somewhere else. */
function plainFiles(tree: FileTree, what: string): ReadonlyMap<string, FileEntry> {
  const files = new Map<string, FileEntry>();
  for (const entry of tree) {
    if (entry.type === "directory") continue;
    if (entry.type !== "file" || entry.link !== undefined)
      throw new BootwrightError(
        "PATH_UNSAFE",
        `${what}: /${entry.path} is a ${describeType(entry)}; a bundle holds plain files only`,
      );
    files.set(entry.path, entry);
  }
  return files;
}

const describeType = (entry: TreeEntry): string =>
  ({ file: "hard link", symlink: "symbolic link", char: "device", block: "device", fifo: "pipe", socket: "socket" })[
    entry.type as Exclude<TreeEntry["type"], "directory">
  ];

/** Bytes; a manifest of ten thousand modules has about one million. */
const MAX_MANIFEST = 32 * 1024 * 1024;

function readManifest(
  store: Store,
  { files, what }: { files: ReadonlyMap<string, FileEntry>; what: string },
): BundleManifest {
  const entry = files.get(MANIFEST);
  if (entry === undefined) throw new BootwrightError("FORMAT_INVALID", `${what}: the archive holds no ${MANIFEST}`);
  if (entry.content.size > MAX_MANIFEST)
    throw new BootwrightError("LIMIT_EXCEEDED", `${what}: ${MANIFEST} has ${formatSize(entry.content.size)}`);
  return decodeManifest(store.readContent(entry.content), what);
}

function requireIdentity(
  manifest: BundleManifest,
  { expected, what }: { expected: Partial<BundleIdentity>; what: string },
): void {
  if (expected.arch !== undefined && expected.arch !== manifest.arch)
    throw new BootwrightError("ARCH_MISMATCH", `${what}: the bundle is for ${manifest.arch}, not ${expected.arch}`);
  for (const key of ["name", "version"] as const)
    if (expected[key] !== undefined && expected[key] !== manifest[key])
      throw new BootwrightError("FORMAT_INVALID", `${what}: the bundle calls itself ${describeBundle(manifest)}`);
}

function requireFiles(
  manifest: BundleManifest,
  { files, what }: { files: ReadonlyMap<string, FileEntry>; what: string },
): void {
  for (const path of files.keys())
    if (path !== MANIFEST && !Object.hasOwn(manifest.files, path))
      throw new BootwrightError("FORMAT_INVALID", `${what}: /${path} is not in the manifest`);
  for (const [path, { hash, size }] of Object.entries(manifest.files)) {
    const content = files.get(path)?.content;
    if (content === undefined)
      throw new BootwrightError("FORMAT_INVALID", `${what}: the archive lacks /${path}, which its manifest lists`);
    if (content.size !== size)
      throw new BootwrightError(
        "SIZE_MISMATCH",
        `${what}: /${path} has ${content.size} bytes, the manifest says ${size}`,
      );
    if (content.hash !== hash)
      throw new BootwrightError(
        "DIGEST_MISMATCH",
        `${what}: /${path} is sha256:${content.hash}, the manifest says sha256:${hash}`,
      );
  }
}

/** The manifest may say what it likes: the kernel itself says what it is. */
function requireArchitecture(
  store: Store,
  { image, manifest, what }: { image: BlobArtifact; manifest: BundleManifest; what: string },
): void {
  using source = openBlobSource(store.blobs, image);
  const arch = readLinuxImage(source).architecture === "arm64" ? "aarch64" : "x86_64";
  if (arch !== manifest.arch)
    throw new BootwrightError(
      "ARCH_MISMATCH",
      `${what}: the kernel is for ${arch}, the manifest says ${manifest.arch}`,
    );
}

/** modules/RELEASE/… → lib/modules/RELEASE/…. */
function moduleTree(files: ReadonlyMap<string, FileEntry>): FileTree {
  const builder = new TreeBuilder();
  const options = { origin: "bundle" };
  for (const dir of ["lib", "lib/modules"]) builder.add(plainDirectory(dir), options);
  for (const [path, { content }] of [...files].sort(([a], [b]) => comparePaths(a, b)))
    if (path.startsWith("modules/"))
      builder.add({ type: "file", path: `lib/${path}`, mode: 0o644, uid: 0, gid: 0, content }, options);
  return builder.build();
}

const copyOut = (store: Store, entry: FileEntry | undefined): BlobArtifact =>
  blobArtifact(entry === undefined ? store.blobs.put("") : store.blobs.putSync(store.read(entry.content)));
