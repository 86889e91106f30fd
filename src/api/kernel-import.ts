/** Makes a bundle of a kernel in a local directory and keeps it in the user's library. */
import path from "node:path";
import { DEFAULT_EPOCH } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { kernelArch, kernelDirectory } from "../catalog/bundle-directory.ts";
import { bundleStage } from "../catalog/bundle-writer.ts";
import { Library } from "../catalog/library.ts";
import { decodeManifest, describeBundle } from "../catalog/manifest.ts";
import { localSource } from "../source/local.ts";
import { runStages } from "../stage/scheduler.ts";
import { type AnyStage, blobOf, treeOf } from "../stage/stage.ts";
import { Store } from "../store/store.ts";
import { isoNow } from "./catalogs.ts";
import { describeOwn } from "./kernel-list.ts";
import type { Report, Session } from "./session.ts";

export interface KernelImportOptions {
  readonly name: string;
  /** Directory, relative to where the command was started. */
  readonly from: string;
  /** Default: the kernel's release. */
  readonly version?: string;
}

/** Needs no project. */
export async function kernelImport(session: Session, { name, from, version }: KernelImportOptions): Promise<Report> {
  const dir = path.resolve(session.cwd, from);
  const store = new Store(session.storeDir);
  try {
    const run = (targets: readonly AnyStage[]) =>
      runStages(targets, {
        store,
        emit: session.emit,
        signal: session.signal,
        project: `kernel import ${dir}`,
        ...(session.jobs !== undefined && { jobs: session.jobs }),
      });
    const { stage: local } = localSource(dir, { projectDir: session.cwd, store });
    const parts = kernelDirectory({ name: `parts:${name}`, tree: treeOf(local, "tree"), what: from });
    const sorted = await run([parts]);
    const arch = kernelArch(store, sorted.output(parts, "image") as { kind: "blob"; hash: string; size: number });
    if (arch === undefined)
      throw new BootwrightError("UNSUPPORTED", `${from} holds only a vmlinux, which does not say what it is for`, {
        hint: "put the bzImage or Image beside it",
      });
    const bundle = bundleStage({
      name: `bundle:${name}`,
      identity: { name, version, arch },
      parts: {
        image: blobOf(parts, "image"),
        vmlinux: blobOf(parts, "vmlinux"),
        initrd: blobOf(parts, "initrd"),
        config: blobOf(parts, "config"),
        systemMap: blobOf(parts, "systemMap"),
        release: blobOf(parts, "release"),
        modules: treeOf(parts, "modules"),
      },
      provenance: { from: "import" },
      epoch: DEFAULT_EPOCH,
    });
    const packed = await run([bundle]);
    const manifestBytes = store.blobs.readAll(packed.output(bundle, "manifest"));
    const { hash, size } = packed.output(bundle, "bundle");
    const manifest = decodeManifest(manifestBytes, name);
    const kept = new Library(session.dataDir).add(
      { manifest, size, sha256: hash, origin: { kind: "import", from: dir, at: isoNow() } },
      { from: store.blobs.path(hash), manifestBytes },
    );
    return {
      data: { kernel: describeOwn(kept) },
      text: `${describeBundle(manifest)}  ${formatSize(size)}  sha256:${hash.slice(0, 12)}`,
      quiet: `sha256:${hash}`,
      summary: `next: kernel: { from: "catalog", catalog: "local", bundle: "${name}" }`,
    };
  } finally {
    store.close();
  }
}
