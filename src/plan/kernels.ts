/** `kernels` → stages. */
import { BootwrightError } from "../base/errors.ts";
import { kernelFromFiles } from "../kernel/files.ts";
import { indexModules } from "../kernel/module-index.ts";
import { kernelFromPackage } from "../kernel/package.ts";
import { signModulesStage } from "../kernel/sign-modules.ts";
import { moduleSigner } from "../sign/sign-module.ts";
import { type BlobInput, blobOf, type TreeInput, treeOf } from "../stage/stage.ts";
import { planBundleKernel } from "./bundles.ts";
import { debianArch, type PlanContext } from "./context.ts";
import { keyInputs } from "./signing.ts";
import { planSourceKernel, type SourceKernelParts } from "./source-kernels.ts";
import { localBlob, localTree, packageTrees, releasedBlob } from "./sources.ts";

export interface PlannedKernel {
  readonly image: BlobInput;
  /** Its .config; empty where it is not known. */
  readonly config: BlobInput;
  readonly systemMap: BlobInput;
  /** Text of `uname -r`. */
  readonly release: BlobInput;
  readonly modules: TreeInput;
  /** With signed modules: the signatures that are missing, as JSON; empty when there are none. */
  readonly unsignedModules?: BlobInput;
  /** What every module says about itself. */
  readonly index: BlobInput;
  /** Which modules drive which devices. */
  readonly devices: BlobInput;
  /** Of a kernel that is built from source. */
  readonly source?: SourceKernelParts;
}

export function planKernel(ctx: PlanContext, name: string): PlannedKernel {
  return ctx.once(`kernel:${name}`, () => {
    const config = ctx.config.kernels[name];
    if (config === undefined) throw new BootwrightError("NAME_UNKNOWN", `the config has no kernel ${name}`);
    if (config.from === "catalog") return planned(ctx, name, planBundleKernel(ctx, { name, kernel: config }));
    if (config.from === "source") {
      const configOf = (kernel: string) => planKernel(ctx, kernel).config;
      const { kernel, parts } = planSourceKernel(ctx, { name, config, configOf });
      return { ...planned(ctx, name, kernel), source: parts };
    }
    const stage =
      config.from === "debian"
        ? kernelFromPackage({
            name: `kernel:${name}`,
            packages: packageTrees(ctx, {
              type: "debian-kernel",
              package: config.package,
              arch: debianArch(config.arch),
              suite: ctx.config.sources.debian.suite,
            }),
          })
        : kernelFromFiles({
            name: `kernel:${name}`,
            image: config.from === "release" ? releasedBlob(ctx, config) : localBlob(ctx, config.image),
            config:
              config.from === "release" || config.config === undefined ? undefined : localBlob(ctx, config.config),
            modules:
              config.from === "release" || config.modules === undefined ? undefined : localTree(ctx, config.modules),
          });
    return planned(ctx, name, {
      image: blobOf(stage, "image"),
      config: blobOf(stage, "config"),
      systemMap: blobOf(stage, "systemMap"),
      release: blobOf(stage, "release"),
      modules: treeOf(stage, "modules"),
    });
  });
}

function planned(ctx: PlanContext, name: string, unsigned: Omit<PlannedKernel, "index" | "devices">): PlannedKernel {
  const kernel = { ...unsigned, ...signedModules(ctx, { name, kernel: unsigned }) };
  const index = indexModules({ name: `modules:${name}`, modules: kernel.modules });
  return { ...kernel, index: blobOf(index, "index"), devices: blobOf(index, "devices") };
}

/** Before anything is taken out of them, so that initramfs, trees and images all have the signed ones. */
function signedModules(
  ctx: PlanContext,
  { name, kernel }: { name: string; kernel: Pick<PlannedKernel, "modules" | "config"> },
): Pick<PlannedKernel, "modules" | "unsignedModules"> {
  const key = ctx.config.kernels[name]!.signModules;
  if (key === undefined) return { modules: kernel.modules };
  const { certificate, signatures, signer } = keyInputs(ctx, key);
  const stage = signModulesStage({
    ...{ name: `sign-modules:${name}`, modules: kernel.modules, config: kernel.config, key, certificate, signatures },
    here: signer !== undefined,
    open: moduleSigner({ key, signer }),
  });
  return { modules: treeOf(stage, "tree"), unsignedModules: blobOf(stage, "wanted") };
}
