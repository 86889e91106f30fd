/** Bundles of catalogs → kernels, and kernels → bundles. */
import { openBundle } from "../catalog/bundle-reader.ts";
import { bundleStage } from "../catalog/bundle-writer.ts";
import { bundleUrl } from "../catalog/catalog-address.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { fetchBundle } from "../source/fetch.ts";
import { importArchive } from "../source/import-archive.ts";
import { type BundleRequest, requestName } from "../source/request.ts";
import { blobOf, type OutputRef, type TreeInput, treeOf } from "../stage/stage.ts";
import type { BlobArtifact, TreeArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { type PlannedKernel, planKernel } from "./kernels.ts";
import { unpinned } from "./sources.ts";

type CatalogKernel = Extract<ResolvedConfig["kernels"][string], { from: "catalog" }>;

/** The user's own library, in place of a catalog. */
const LOCAL = "local";

export function planBundleKernel(
  ctx: PlanContext,
  { name, kernel }: { name: string; kernel: CatalogKernel },
): Omit<PlannedKernel, "index" | "devices"> {
  const { arch } = kernel;
  const request: BundleRequest = {
    type: "bundle",
    catalog: kernel.catalog,
    bundle: kernel.bundle,
    version: kernel.version,
    arch,
  };
  const pin = ctx.pin(request, "bundle");
  const open = (tree: TreeInput) => {
    const expected = { name: kernel.bundle, version: pin?.version ?? "", arch };
    const stage = openBundle({ name: `kernel:${name}`, tree, expected, requires: kernel.requires });
    return {
      image: blobOf(stage, "image"),
      config: blobOf(stage, "config"),
      systemMap: blobOf(stage, "systemMap"),
      release: blobOf(stage, "release"),
      modules: treeOf(stage, "modules"),
    };
  };
  if (pin === undefined) return open(treeOf(unpinned<{ tree: TreeArtifact }>(ctx, request, ["tree"]), "tree"));
  const url =
    kernel.catalog === LOCAL
      ? undefined
      : bundleUrl(ctx.config.catalogs[kernel.catalog]!.url, { projectDir: ctx.config.dir, sha256: pin.sha256 });
  const unpacked = ctx.once(`bundle:${pin.sha256}`, () => {
    const fetch = fetchBundle(
      { name: `${kernel.bundle}-${pin.version}`, sha256: pin.sha256, size: pin.size },
      { offline: ctx.fetch.offline, url, file: ctx.ownBundle(pin.sha256), remoteBytes: ctx.remoteBytes },
    );
    return importArchive({
      name: `unpack:${kernel.bundle}-${pin.version}`,
      archive: blobOf(fetch, "file"),
      what: requestName(request),
    });
  });
  return open(treeOf(unpacked, "tree"));
}

export interface PlannedBundle {
  readonly name: string;
  readonly bundle: OutputRef<BlobArtifact>;
  readonly manifest: OutputRef<BlobArtifact>;
}

/** An entry of `publish` as a bundle. */
export function planBundle(ctx: PlanContext, publication: string): PlannedBundle {
  const entry = ctx.config.publish[publication]!;
  if (!("bundle" in entry)) throw new Error(`publication ${publication} is no bundle`);
  const { bundle, name = bundle, version } = entry;
  const kernel = planKernel(ctx, bundle);
  const stage = bundleStage({
    name: `bundle:${publication}`,
    identity: { name, version, arch: ctx.config.kernels[bundle]!.arch },
    parts: {
      image: kernel.image,
      vmlinux: kernel.source?.vmlinux,
      initrd: undefined,
      config: kernel.config,
      systemMap: kernel.systemMap,
      release: kernel.release,
      modules: kernel.modules,
    },
    provenance: provenance(ctx, { kernel: bundle, hostTools: kernel.source?.hostTools }),
    epoch: ctx.config.epoch,
  });
  return { name, bundle: blobOf(stage, "bundle"), manifest: blobOf(stage, "manifest") };
}

/** What the config says of the kernel, and what that was pinned to. */
function provenance(
  ctx: PlanContext,
  { kernel, hostTools }: { kernel: string; hostTools: string | undefined },
): Readonly<Record<string, string>> {
  const pins = [...ctx.requests.values()].map((request) => `${requestName(request)}: ${ctx.describePin(request)}`);
  return {
    project: ctx.config.name,
    ...(ctx.config.version !== undefined && { projectVersion: ctx.config.version }),
    from: ctx.config.kernels[kernel]!.from,
    pins: pins.sort().join("\n"),
    ...(hostTools !== undefined && { hostTools: hostTools.trimEnd() }),
  };
}
