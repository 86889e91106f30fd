/** Requests and pins → stages that bring the bytes. What the lock does not know yet becomes a stage that cannot run, so that the graph can still be shown. */
import path from "node:path";
import type { Digest } from "../base/digest.ts";
import { download } from "../base/download.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { copyOciLayer, ociLayers } from "../oci/layer-stages.ts";
import { findOciImage, openOciLayout } from "../oci/layout.ts";
import { fetchFile, fetchPackage, fetchStage } from "../source/fetch.ts";
import { fetchCommit, repositoryAddress } from "../source/git.ts";
import { type ImportedArchive, importArchive, importLayer } from "../source/import-archive.ts";
import { kernelTarball } from "../source/kernel-org.ts";
import type { LockedPackage } from "../source/lock.ts";
import { requestName, type SourceRequest } from "../source/request.ts";
import { toolroot } from "../source/toolroot.ts";
import {
  type BlobInput,
  blobOf,
  defineStage,
  type Inputs,
  type OutputRef,
  type Outputs,
  type Stage,
  type TreeInput,
  treeOf,
} from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";

export function localTree(ctx: PlanContext, label: string): TreeInput {
  return treeOf(ctx.local(label).stage, "tree");
}

/** The unpacked trees of a request for packages, one a package. */
export function packageTrees(
  ctx: PlanContext,
  request: Extract<SourceRequest, { type: `debian-${string}` }>,
): TreeInput[] {
  const pin = ctx.pin(request, "debian");
  if (pin === undefined) return [treeOf(unpinned<{ tree: TreeArtifact }>(ctx, request, ["tree"]), "tree")];
  return pin.packages.map((locked) => packageTree(ctx, locked));
}

/** `name` stands for a long list of packages. */
export function toolrootTree(ctx: PlanContext, packages: readonly string[], name?: string): TreeInput {
  const sorted = [...packages].sort();
  return ctx.once(`toolroot:${sorted.join(" ")}`, () => {
    // A toolroot runs on this machine, whatever the project's architecture is.
    const arch = process.arch === "arm64" ? "arm64" : "amd64";
    const trees = packageTrees(ctx, {
      type: "debian-closure",
      packages: sorted,
      arch,
      suite: ctx.config.sources.debian.suite,
    });
    return treeOf(toolroot({ name: `toolroot:${name ?? sorted.join("+")}`, packages: trees }), "tree");
  });
}

/** Packages of the project's architecture with all that they depend on, as one root: to take programs out of. */
export function packageRoot(ctx: PlanContext, packages: readonly string[]): TreeInput {
  const sorted = [...packages].sort();
  const arch = ctx.debianArch;
  return ctx.once(ctx.archName(`package-root:${sorted.join(" ")}`), () => {
    const { suite } = ctx.config.sources.debian;
    const trees = packageTrees(ctx, { type: "debian-closure", packages: sorted, arch, suite });
    return treeOf(toolroot({ name: ctx.archName(`packages:${sorted.join("+")}`), packages: trees }), "tree");
  });
}

/** An archive that the config names by path or address. */
export function archiveTree(
  ctx: PlanContext,
  { archive, sha256 }: { archive: string; sha256?: string | undefined },
): TreeInput {
  return ctx.once(`archive:${archive}`, () => {
    const what = archive.slice(archive.lastIndexOf("/") + 1);
    if (!/^(https?|file):\/\//.test(archive))
      return treeOf(importArchive({ name: `unpack:${archive}`, archive: localBlob(ctx, archive), what }), "tree");
    const request: SourceRequest = { type: "file", url: archive, sha256 };
    const pin = ctx.pin(request, "file");
    if (pin === undefined) return treeOf(unpinned<{ tree: TreeArtifact }>(ctx, request, ["tree"]), "tree");
    const fetch = fetchFile({ url: archive, sha256: pin.sha256, size: pin.size }, ctx.fetch);
    return treeOf(unpack(fetch.name.replace("fetch:", "unpack:"), { fetch, what }), "tree");
  });
}

/** A file that the config names by address. */
export function fetchedBlob(
  ctx: PlanContext,
  { url, sha256 }: { url: string; sha256?: string | undefined },
): OutputRef<BlobArtifact> {
  const request: SourceRequest = { type: "file", url, sha256 };
  const pin = ctx.pin(request, "file");
  if (pin === undefined) return blobOf(unpinned<{ file: BlobArtifact }>(ctx, request, ["file"]), "file");
  return blobOf(fetchFile({ url, sha256: pin.sha256, size: pin.size }, ctx.fetch), "file");
}

/** An artifact of the release that runs in an environment. */
export function releasedBlob(
  ctx: PlanContext,
  of: { release: string; env: string; artifact: string; arch: "x86_64" | "aarch64" },
): OutputRef<BlobArtifact> {
  const { release: source, env: environment, artifact, arch } = of;
  const request: SourceRequest = { type: "release", source, environment, artifact, arch };
  const pin = ctx.pin(request, "release");
  if (pin === undefined) return blobOf(unpinned<{ file: BlobArtifact }>(ctx, request, ["file"]), "file");
  const { address: url, sha256, size } = pin;
  const fetch = fetchStage(
    `fetch:${artifact.replace("/", "-")}-${pin.version}`,
    { hash: sha256, size },
    {
      ...{ context: ctx.fetch, what: `${artifact} of ${source} ${pin.version}` },
      open: (channels) =>
        /^(https?|file):/.test(url)
          ? download(url, { ...channels, maxSize: size })
          : ctx.remoteBytes({ url, sha256, size, ...channels }),
    },
  );
  return blobOf(fetch, "file");
}

/** The tarball of a release of kernel.org. */
export function kernelReleaseBlob(
  ctx: PlanContext,
  source: { version: string; sha256?: string | undefined },
): BlobInput {
  const { mirror, snapshots, keyring } = ctx.config.sources.kernel;
  const site = {
    releases: mirror,
    snapshots,
    keyring: keyring === undefined ? undefined : path.resolve(ctx.config.dir, keyring),
  };
  const request: SourceRequest = { type: "kernel", ...source, site };
  const pin = ctx.pin(request, "file");
  if (pin === undefined) return blobOf(unpinned<{ file: BlobArtifact }>(ctx, request, ["file"]), "file");
  const { url } = kernelTarball(source.version, site);
  return blobOf(fetchFile({ url, sha256: pin.sha256, size: pin.size }, ctx.fetch), "file");
}

/** A commit as a tar archive. */
export function gitArchive(ctx: PlanContext, { url, ref }: { url: string; ref: string }): BlobInput {
  const from = repositoryAddress(url, ctx.config.dir);
  const request: SourceRequest = { type: "git", url, ref, ...(from !== url && { from }) };
  const pin = ctx.pin(request, "git");
  if (pin === undefined) return blobOf(unpinned<{ archive: BlobArtifact }>(ctx, request, ["archive"]), "archive");
  return blobOf(fetchCommit({ url: from, commit: pin.commit }, ctx.fetch), "archive");
}

/** A local container image. Its documents are read now, since they say which layers there are. */
export function ociTree(
  ctx: PlanContext,
  { layout: label, tag }: { layout: string; tag?: string | undefined },
): TreeInput {
  const name = ctx.archName(tag === undefined ? `oci:${label}` : `oci:${label}:${tag}`);
  return ctx.once(name, () => {
    const layout = openOciLayout(label, path.resolve(ctx.config.dir, label));
    ctx.local(layout.watch);
    const { manifest, diffIds } = findOciImage(layout, {
      tag,
      platform: { os: "linux", architecture: ctx.debianArch },
    });
    return layeredTree(ctx, {
      name,
      what: label,
      layers: manifest.layers.map((layer, i) => ({ ...layer, diffId: diffIds[i]! })),
      bring: (layer) => copyOciLayer(layout, layer),
    });
  });
}

/** An image in a registry, as the lock has it: its documents are not asked for again. */
export function registryTree(ctx: PlanContext, image: string): TreeInput {
  const name = ctx.archName(`image:${image}`);
  return ctx.once(name, () => {
    const request: SourceRequest = { type: "image", image, architecture: ctx.debianArch };
    const pin = ctx.pin(request, "image");
    if (pin === undefined) return treeOf(unpinned<{ tree: TreeArtifact }>(ctx, request, ["tree"]), "tree");
    return layeredTree(ctx, {
      name,
      what: image,
      layers: pin.layers.map(({ sha256, size, diffId }) => ({ hash: sha256, size, diffId })),
      bring: ({ hash, size }) => {
        const what = `layer sha256:${hash.slice(0, 12)} of ${image}`;
        const open = (options: { emit: Emit; signal: AbortSignal }) => ctx.layerBytes(image, { hash, size }, options);
        return fetchStage(`layer:${hash.slice(0, 12)}`, { hash, size }, { context: ctx.fetch, what, open });
      },
    });
  });
}

/** A layer is one pair of stages, however many images have it. */
function layeredTree<L extends Digest & { readonly diffId: string }>(
  ctx: PlanContext,
  {
    name,
    what,
    layers,
    bring,
  }: {
    name: string;
    what: string;
    layers: readonly L[];
    bring: (layer: L) => Stage<Record<never, never>, { file: BlobArtifact }>;
  },
): TreeInput {
  const unpackedLayers = layers.map((layer) => {
    const unpacked = ctx.once(`layer:${layer.hash}`, () => {
      const stage = bring(layer);
      return importLayer({
        name: `unpack:${stage.name}`,
        layer: blobOf(stage, "file"),
        what: `${what}: ${stage.name}`,
      });
    });
    return {
      tree: treeOf(unpacked, "tree"),
      pack: blobOf(unpacked, "pack"),
      links: blobOf(unpacked, "links"),
      diffId: layer.diffId,
    };
  });
  return treeOf(ociLayers(name, unpackedLayers), "tree");
}

export function gitTree(ctx: PlanContext, { url, ref }: { url: string; ref: string }): TreeInput {
  return ctx.once(`git:${url} ${ref}`, () => {
    // The lock keeps the text as it was written: the project may lie elsewhere on the next host.
    const from = repositoryAddress(url, ctx.config.dir);
    const request: SourceRequest = { type: "git", url, ref, ...(from !== url && { from }) };
    const pin = ctx.pin(request, "git");
    if (pin === undefined) return treeOf(unpinned<{ tree: TreeArtifact }>(ctx, request, ["tree"]), "tree");
    const commit = fetchCommit({ url: from, commit: pin.commit }, ctx.fetch);
    return treeOf(
      importArchive({ name: commit.name.replace("git:", "unpack:"), archive: blobOf(commit, "archive"), what: url }),
      "tree",
    );
  });
}

/** A named source of the config, unpacked. */
export function namedSourceTree(ctx: PlanContext, name: string): TreeInput {
  const { files, git } = ctx.config.sources;
  const source = files[name];
  if (source === undefined) return gitTree(ctx, git[name]!);
  if (source.type === "address") return archiveTree(ctx, { archive: source.url, sha256: source.sha256 });
  return ctx.once(`unpack:${name}`, () => {
    const { file, fileName } = sourceFile(ctx, name);
    return treeOf(importArchive({ name: `unpack:${name}`, archive: file, what: fileName }), "tree");
  });
}

/** A name of `sources.files`, as it is. */
export function sourceFile(
  ctx: PlanContext,
  name: string,
): { readonly file: OutputRef<BlobArtifact>; readonly fileName: string } {
  const source = ctx.config.sources.files[name]!;
  if (source.type === "address")
    return { file: fetchedBlob(ctx, source), fileName: source.name ?? lastPart(new URL(source.url).pathname, name) };
  const file = ctx.once(`released:${name}`, () => releasedBlob(ctx, { ...source, arch: ctx.config.arch }));
  return { file, fileName: source.name ?? lastPart(source.artifact, name) };
}

const lastPart = (path: string, otherwise: string): string => path.slice(path.lastIndexOf("/") + 1) || otherwise;

/** A name of `sources.files`, as the one file of a tree. */
export function sourceFileTree(ctx: PlanContext, name: string): TreeInput {
  return ctx.once(`source-file:${name}`, () => {
    const { file } = sourceFile(ctx, name);
    return treeOf(
      defineStage<{ file: BlobInput }, { tree: TreeArtifact }>({
        name: `source-file:${name}`,
        kind: "file-as-tree",
        version: 1,
        inputs: { file },
        params: {},
        outputs: ["tree"],
        run: async ({ inputs: { file: content }, store }) => ({
          tree: store.putTree([
            {
              type: "file",
              path: "",
              mode: 0o644,
              uid: 0,
              gid: 0,
              content: { hash: content.hash, size: content.size },
            },
          ]),
        }),
      }),
      "tree",
    );
  });
}

/** A lone local file as a blob. Its digest is part of the plan, so a stage that extracts it is enough. */
export function localBlob(ctx: PlanContext, label: string) {
  return ctx.once(`blob:${label}`, () => {
    const stage = defineStage<{ file: TreeInput }, { file: BlobArtifact }>({
      name: `file:${label}`,
      kind: "lone-file",
      version: 1,
      inputs: { file: localTree(ctx, label) },
      params: {},
      outputs: ["file"],
      run: async ({ inputs, store }) => ({ file: loneFile(store.getTree(inputs.file), label) }),
    });
    return blobOf(stage, "file");
  });
}

/** The files of a request for packages as they are, or undefined when they are not pinned yet. */
export function packageFiles(
  ctx: PlanContext,
  request: Extract<SourceRequest, { type: `debian-${string}` }>,
): { name: string; file: BlobInput }[] | undefined {
  return ctx.pin(request, "debian")?.packages.map((locked) => ({
    name: locked.name,
    file: blobOf(packageFetch(ctx, locked), "file"),
  }));
}

/** A text as a blob. */
export function textBlob(ctx: PlanContext, name: string, text: string): BlobInput {
  return ctx.once(`text:${name}`, () =>
    blobOf(
      defineStage<Record<never, never>, { file: BlobArtifact }>({
        name,
        kind: "text",
        version: 1,
        inputs: {},
        params: { text },
        outputs: ["file"],
        run: async ({ store }) => ({ file: blobArtifact(store.blobs.put(text)) }),
      }),
      "file",
    ),
  );
}

/** One file out of a tree, as a blob. Throws PATH_MISSING. */
/** `hint`: for whoever has a package without the file. */
export function fileFromTree(
  ctx: PlanContext,
  { name, tree, path, hint }: { name: string; tree: TreeInput; path: string; hint?: string },
) {
  return ctx.once(`file-from:${name}`, () => {
    const stage = defineStage<{ tree: TreeInput }, { file: BlobArtifact }>({
      name,
      kind: "file-from-tree",
      version: 1,
      inputs: { tree },
      params: { path },
      outputs: ["file"],
      run: async ({ inputs, store }) => {
        const entry = store.getTree(inputs.tree).find((candidate) => candidate.path === path);
        if (entry?.type !== "file")
          throw new BootwrightError("PATH_MISSING", `${name}: the package holds no /${path}`, hint ? { hint } : {});
        return { file: blobArtifact(store.blobs.putSync(store.read(entry.content))) };
      },
    });
    return blobOf(stage, "file");
  });
}

function loneFile(tree: ReturnType<import("../store/store.ts").Store["getTree"]>, label: string): BlobArtifact {
  const [entry] = tree;
  if (entry?.type !== "file" || entry.path !== "") throw new BootwrightError("PATH_MISSING", `${label} is not a file`);
  return { kind: "blob", hash: entry.content.hash, size: entry.content.size };
}

function packageTree(ctx: PlanContext, locked: LockedPackage): TreeInput {
  return ctx.once(`package:${locked.name}:${locked.sha256}`, () => {
    const fetch = packageFetch(ctx, locked);
    return treeOf(
      unpack(`unpack:${packageLabel(ctx, locked)}`, { fetch, what: `${locked.name} ${locked.version}` }),
      "tree",
    );
  });
}

const packageFetch = (ctx: PlanContext, locked: LockedPackage) =>
  ctx.once(`fetch:${locked.sha256}`, () => ({
    ...fetchPackage(locked, ctx.fetch),
    name: `fetch:${packageLabel(ctx, locked)}`,
  }));

/** A lock may pin a package twice: for two architectures, or at two times. Stages are told apart by their names. */
function packageLabel(ctx: PlanContext, { name, version, arch, sha256 }: LockedPackage): string {
  const first = ctx.once(`package-label:${name}`, () => sha256);
  return first === sha256 ? name : `${name}_${version}_${arch}`;
}

const unpack = (
  name: string,
  { fetch, what }: { fetch: Stage<Record<never, never>, { file: BlobArtifact }>; what: string },
): Stage<{ archive: ReturnType<typeof blobOf> }, ImportedArchive> =>
  importArchive({ name, archive: blobOf(fetch, "file"), what });

/** Stands for a source that has no pin yet. */
export function unpinned<O extends Outputs>(
  ctx: PlanContext,
  request: SourceRequest,
  outputs: readonly (keyof O & string)[],
): Stage<Inputs, O> {
  const name = requestName(request);
  return ctx.once(`unpinned:${name}`, () =>
    defineStage<Inputs, O>({
      name: `unpinned:${name}`,
      kind: "unpinned",
      version: 1,
      inputs: {},
      params: { request: name },
      outputs,
      run: async () => {
        throw new Error(`${name} was planned to run without a pin`);
      },
    }),
  );
}
