/** A kernel in a few hundred bytes, and bundles of it. */
import { silent } from "../base/events.ts";
import type { FileTree } from "../formats/filetree.ts";
import { plainDirectory, TreeBuilder } from "../formats/tree-builder.ts";
import { runStages } from "../stage/scheduler.ts";
import type { AnyStage } from "../stage/stage.ts";
import { type Artifact, blobArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { type BundleOptions, bundleStage } from "./bundle-writer.ts";
import { type BundleManifest, decodeManifest } from "./manifest.ts";

export const RELEASE = "6.12.48-test";
export const CONFIG =
  '# Linux\nCONFIG_EFI_STUB=y\nCONFIG_EXT4_FS=m\n# CONFIG_XFS_FS is not set\nCONFIG_LOCALVERSION="-test"\n';

/** The setup header of a bzImage, protocol 2.15 (kernel Documentation/arch/x86/boot.rst), and nothing to boot. */
export function tinyBzImage(release = RELEASE): Buffer {
  const image = Buffer.alloc(0x400);
  image.write("HdrS", 0x202, "latin1");
  image.writeUInt16LE(0x020f, 0x206);
  image.writeUInt16LE(0x100, 0x20e);
  image.write(`${release} (test)\0`, 0x300, "latin1");
  return image;
}

export function tinyArm64Image(): Buffer {
  const image = Buffer.alloc(0x400);
  image.write("ARMd", 0x38, "latin1");
  return image;
}

export const moduleTree = (store: Store): FileTree => {
  const builder = new TreeBuilder();
  for (const [path, text] of [
    [`lib/modules/${RELEASE}/kernel/fs/ext4.ko`, "ext4"],
    [`lib/modules/${RELEASE}/modules.dep`, "kernel/fs/ext4.ko:\n"],
  ] as const)
    builder.add(
      { type: "file", path, mode: 0o644, uid: 0, gid: 0, content: store.blobs.put(text) },
      { origin: "test" },
    );
  builder.add(plainDirectory(`lib/modules/${RELEASE}/empty`), { origin: "test" });
  return builder.build();
};

export async function runStage(store: Store, stage: AnyStage): Promise<Record<string, Artifact>> {
  const report = await runStages([stage], {
    store,
    emit: silent,
    signal: new AbortController().signal,
    project: "test",
  });
  return Object.fromEntries(stage.outputs.map((name) => [name, report.output(stage, name)]));
}

export interface TinyBundle {
  readonly manifest: BundleManifest;
  readonly local: string;
  readonly size: number;
  readonly sha256: string;
}

export async function tinyBundle(
  store: Store,
  identity: Partial<BundleOptions["identity"]> = {},
  parts: Partial<Record<"image" | "config" | "initrd", string | Uint8Array>> = {},
): Promise<TinyBundle> {
  const blob = (bytes: string | Uint8Array | undefined) =>
    bytes === undefined ? undefined : blobArtifact(store.blobs.put(bytes));
  const stage = bundleStage({
    name: "bundle:test",
    identity: { name: "generic-6.12", arch: "x86_64", ...identity },
    parts: {
      image: blob(parts.image ?? tinyBzImage()),
      vmlinux: undefined,
      initrd: blob(parts.initrd),
      config: blob(parts.config ?? CONFIG),
      systemMap: undefined,
      release: blob(RELEASE),
      modules: store.putTree(moduleTree(store)),
    },
    provenance: { from: "test" },
    epoch: 0,
  });
  const { bundle, manifest } = await runStage(store, stage);
  return {
    manifest: decodeManifest(store.blobs.readAll(manifest!), "test"),
    local: store.blobs.path(bundle!.hash),
    size: bundle!.size,
    sha256: bundle!.hash,
  };
}
