/** A directory with a kernel in it, as people and distributions lay them out → the parts of a bundle. */
import { BootwrightError } from "../base/errors.ts";
import type { Arch } from "../base/json-shape.ts";
import type { FileEntry, FileTree } from "../formats/filetree.ts";
import { readLinuxImage } from "../formats/linux-image.ts";
import { plainDirectory, TreeBuilder } from "../formats/tree-builder.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import { openBlobSource } from "../store/blob-source.ts";
import type { Store } from "../store/store.ts";

/** What is not there is an empty blob, or a tree without modules. */
export type KernelDirectory = {
  readonly image: BlobArtifact;
  readonly vmlinux: BlobArtifact;
  readonly initrd: BlobArtifact;
  readonly config: BlobArtifact;
  readonly systemMap: BlobArtifact;
  readonly release: BlobArtifact;
  readonly modules: TreeArtifact;
};

/** File names at the top of the directory, as `make install`, distributions and bundles have them. */
const PATTERNS = {
  image: /^(bzImage|vmlinuz|Image)([-.].*)?$/,
  vmlinux: /^vmlinux([-.].*)?$/,
  initrd: /^(initrd|initramfs)([-.].*)?$/,
  config: /^(\.config|config([-.].*)?)$/,
  systemMap: /^System\.map([-.].*)?$/,
} as const;

/** `modules/RELEASE`, `lib/modules/RELEASE`, `usr/lib/modules/RELEASE`. */
const MODULES = /^(?:(?:usr\/)?lib\/)?modules\/([^/]+)\/(.+)$/;

/** Throws PATH_MISSING when there is no kernel, CONFIG_INVALID when there are two of a kind. */
export function kernelDirectory({
  name,
  tree,
  what,
}: {
  name: string;
  tree: TreeInput;
  what: string;
}): Stage<{ tree: TreeInput }, KernelDirectory> {
  return defineStage<{ tree: TreeInput }, KernelDirectory>({
    name,
    kind: "kernel-directory-parts",
    version: 1,
    inputs: { tree },
    params: { what },
    outputs: ["image", "vmlinux", "initrd", "config", "systemMap", "release", "modules"],
    run: async ({ inputs, store }) => {
      const entries = store.getTree(inputs.tree);
      const part = (key: keyof typeof PATTERNS) => findPart(entries, { key, what });
      const image = part("image");
      const vmlinux = part("vmlinux");
      if (image === undefined && vmlinux === undefined)
        throw new BootwrightError("PATH_MISSING", `${what} holds no kernel: no bzImage, vmlinuz, Image or vmlinux`);
      const { modules, release } = moduleTree(entries, what);
      const copied = copyOut(store, image);
      return {
        image: copied,
        vmlinux: copyOut(store, vmlinux),
        initrd: copyOut(store, part("initrd")),
        config: copyOut(store, part("config")),
        systemMap: copyOut(store, part("systemMap")),
        release: blobArtifact(store.blobs.put(release ?? releaseOf(store, copied) ?? "")),
        modules: store.putTree(modules),
      };
    },
  });
}

/** Of a bzImage or Image; undefined of an empty blob. Throws FORMAT_INVALID, UNSUPPORTED. */
export function kernelArch(store: Store, image: BlobArtifact): Arch | undefined {
  if (image.size === 0) return undefined;
  using source = openBlobSource(store.blobs, image);
  return readLinuxImage(source).architecture === "arm64" ? "aarch64" : "x86_64";
}

function releaseOf(store: Store, image: BlobArtifact): string | undefined {
  if (image.size === 0) return undefined;
  using source = openBlobSource(store.blobs, image);
  return readLinuxImage(source).release;
}

function findPart(
  entries: FileTree,
  { key, what }: { key: keyof typeof PATTERNS; what: string },
): FileEntry | undefined {
  const found = entries.filter((entry) => entry.type === "file").filter((entry) => PATTERNS[key].test(entry.path));
  if (found.length > 1)
    throw new BootwrightError("CONFIG_INVALID", `${what} holds ${found.length} files that may be the ${key}`, {
      detail: found.map(({ path }) => path).join("\n"),
      hint: "leave one of them there",
    });
  return found[0];
}

function moduleTree(entries: FileTree, what: string): { modules: FileTree; release: string | undefined } {
  const builder = new TreeBuilder();
  const options = { origin: what };
  for (const dir of ["lib", "lib/modules"]) builder.add(plainDirectory(dir), options);
  const releases = new Set<string>();
  for (const entry of entries) {
    const match = MODULES.exec(entry.path);
    if (match === null || entry.type !== "file") continue;
    const [, release, path] = match as unknown as [string, string, string];
    releases.add(release);
    const { content } = entry;
    builder.add(
      { type: "file", path: `lib/modules/${release}/${path}`, mode: 0o644, uid: 0, gid: 0, content },
      options,
    );
  }
  if (releases.size > 1)
    throw new BootwrightError("CONFIG_INVALID", `${what} holds modules of ${[...releases].sort().join(" and ")}`, {
      hint: "a bundle is one kernel",
    });
  return { modules: builder.build(), release: [...releases][0] };
}

const copyOut = (store: Store, entry: FileEntry | undefined): BlobArtifact =>
  blobArtifact(entry === undefined ? store.blobs.put("") : store.blobs.putSync(store.read(entry.content)));
