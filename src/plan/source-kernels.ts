/** `kernels` with `from: "source"` → stages: source, config, build, modules from elsewhere, relinking with an initramfs. */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { tarStage } from "../image/tar-stage.ts";
import { extraModules } from "../kernel/extra-modules.ts";
import { isFragmentName } from "../kernel/fragment-names.ts";
import { describeTools, findHostTools, hostPaths, hostToolroot } from "../kernel/host-toolroot.ts";
import { compileKernel, type KernelSourceOptions, kernelConfigStage } from "../kernel/source.ts";
import { type Toolchain, toolchain } from "../kernel/toolchain.ts";
import { importArchive } from "../source/import-archive.ts";
import { type BlobInput, blobOf, type TreeInput, treeOf } from "../stage/stage.ts";
import type { PlanContext } from "./context.ts";
import type { PlannedKernel } from "./kernels.ts";
import {
  fetchedBlob,
  fileFromTree,
  gitArchive,
  kernelReleaseBlob,
  localBlob,
  localTree,
  packageTrees,
  textBlob,
  toolrootTree,
} from "./sources.ts";

type SourceKernelConfig = Extract<ResolvedConfig["kernels"][string], { from: "source" }>;

export interface SourceKernelParts {
  readonly options: KernelSourceOptions;
  readonly config: BlobInput;
  readonly vmlinux: BlobInput;
  /** What relinking and modules from elsewhere need of source and objects. */
  readonly tree: BlobInput;
  /** The host's own programs that built it, where it was these. */
  readonly hostTools: string | undefined;
}

export function planSourceKernel(
  ctx: PlanContext,
  { name, config, configOf }: { name: string; config: SourceKernelConfig; configOf: (kernel: string) => BlobInput },
): { readonly kernel: Omit<PlannedKernel, "index" | "devices">; readonly parts: SourceKernelParts } {
  const host = process.arch === "arm64" ? "aarch64" : "x86_64";
  const { chain, toolroot, hostTools: hosts } = tools(ctx, { name, config, host });
  const { base, fragments, require } = config.config;
  const options: KernelSourceOptions = {
    name: `kernel:${name}`,
    source: sourceBlob(ctx, config.source),
    toolroot,
    toolchain: chain,
    patches: config.patches.flatMap((label) => patchFiles(ctx, label)),
    base: typeof base !== "string" ? configOf(base.kernel) : base.includes("/") ? configFile(ctx, base) : base,
    fragments: fragments.flatMap((label) => fragmentFiles(ctx, { label, arch: config.arch })),
    require,
    localversion: config.localversion,
    moduleCompression: config.moduleCompression,
    ccache: config.ccache,
    epoch: ctx.config.epoch,
  };
  const verified = blobOf(kernelConfigStage(options), "config");
  const built = compileKernel({ ...options, config: verified });
  const own = blobOf(built, "modules");
  const modules = importArchive({
    name: `kernel-modules:${name}`,
    archive:
      config.modules.length === 0
        ? own
        : blobOf(
            extraModules({
              ...options,
              name: `extra-modules:${name}`,
              tree: blobOf(built, "tree"),
              modules: own,
              sources: config.modules.map(({ source, subdir = "." }) => ({
                name: source,
                subdir,
                file: pathArchive(ctx, source),
              })),
            }),
            "modules",
          ),
    what: `modules of ${name}`,
  });
  return {
    kernel: {
      image: blobOf(built, "image"),
      release: blobOf(built, "release"),
      systemMap: blobOf(built, "systemMap"),
      modules: treeOf(modules, "tree") as TreeInput,
      config: verified,
    },
    parts: {
      ...{ options, config: verified, hostTools: hosts },
      ...{ vmlinux: blobOf(built, "vmlinux"), tree: blobOf(built, "tree") },
    },
  };
}

/** Pinned packages, or on request what this host has. */
function tools(
  ctx: PlanContext,
  { name, config, host }: { name: string; config: SourceKernelConfig; host: SourceKernelConfig["arch"] },
): { readonly chain: Toolchain; readonly toolroot: TreeInput; readonly hostTools?: string } {
  const { arch, compiler, rust, ccache } = config;
  const chain = toolchain({ arch, host, compiler, rust });
  if (config.tools === "pinned") return { chain, toolroot: toolrootTree(ctx, chain.packages, toolrootName(config)) };
  const found = findHostTools(chain, { ccache });
  return {
    chain: { ...chain, hostPaths: hostPaths() },
    toolroot: treeOf(hostToolroot(`host-tools:${name}`, found), "tree"),
    hostTools: describeTools(found),
  };
}

const toolrootName = ({ compiler, rust }: SourceKernelConfig): string =>
  ["kernel", ...(compiler === "llvm" ? ["llvm"] : []), ...(rust ? ["rust"] : [])].join("-");

function sourceBlob(ctx: PlanContext, source: SourceKernelConfig["source"]): BlobInput {
  switch (source.type) {
    case "version":
      return kernelReleaseBlob(ctx, { version: source.version, sha256: source.sha256 });
    case "url":
      return fetchedBlob(ctx, source);
    case "git":
      return gitArchive(ctx, { url: source.git, ref: source.ref });
    case "path":
      return pathArchive(ctx, source.path);
    default: {
      const [tree] = packageTrees(ctx, {
        type: "debian-packages",
        packages: [source.debian],
        arch: ctx.debianArch,
        suite: ctx.config.sources.debian.suite,
      });
      return fileFromTree(ctx, {
        name: `source:${source.debian}`,
        tree: tree!,
        path: `usr/src/${source.debian}.tar.xz`,
      });
    }
  }
}

/** A tarball of the host as it is, a directory as one. */
function pathArchive(ctx: PlanContext, label: string): BlobInput {
  if (!isDirectory(ctx, label)) return localBlob(ctx, label);
  return ctx.once(`archive-of:${label}`, () =>
    blobOf(
      tarStage({ name: `source:${label}`, tree: localTree(ctx, label), epoch: ctx.config.epoch, compress: undefined }),
      "archive",
    ),
  );
}

/** A built-in fragment may have a part of its own for an architecture. */
function fragmentFiles(
  ctx: PlanContext,
  { label, arch }: { label: string; arch: SourceKernelConfig["arch"] },
): { name: string; file: BlobInput }[] {
  if (!isFragmentName(label)) return [{ name: label, file: configFile(ctx, label) }];
  return [label, `${label}.${arch}`].flatMap((name) => {
    const text = ctx.readFragment(name);
    return text === undefined ? [] : [{ name, file: textBlob(ctx, `fragment:${name}`, text) }];
  });
}

/** A file, or the *.patch of a directory in the order of their names. */
function patchFiles(ctx: PlanContext, label: string): { name: string; file: BlobInput }[] {
  if (!isDirectory(ctx, label)) return [{ name: label, file: localBlob(ctx, label) }];
  const names = fs
    .readdirSync(path.resolve(ctx.config.dir, label))
    .filter((name) => name.endsWith(".patch"))
    .sort();
  if (names.length === 0) throw new BootwrightError("PATH_MISSING", `the directory ${label} holds no *.patch`);
  return names.map((name) => ({ name: `${label}/${name}`, file: localBlob(ctx, `${label}/${name}`) }));
}

/** What builds with nothing in it would be another kernel than the one that was meant. */
function configFile(ctx: PlanContext, label: string): BlobInput {
  const file = path.resolve(ctx.config.dir, label);
  if (fs.existsSync(file) && fs.statSync(file).isFile() && !/^CONFIG_|^# CONFIG_/m.test(fs.readFileSync(file, "utf8")))
    throw new BootwrightError("KCONFIG_INVALID", `${label} asks for no option at all`, {
      hint: 'write options into it ("CONFIG_SQUASHFS=y"), or take it out of the config; `make savedefconfig` in a kernel tree makes one',
    });
  return localBlob(ctx, label);
}

const isDirectory = (ctx: PlanContext, label: string): boolean =>
  fs.statSync(path.resolve(ctx.config.dir, label), { throwIfNoEntry: false })?.isDirectory() ?? false;
