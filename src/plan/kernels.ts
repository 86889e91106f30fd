/** `kernels` → stages. */
import { BootwrightError } from "../base/errors.ts";
import { kernelFromFiles } from "../kernel/files.ts";
import { indexModules } from "../kernel/module-index.ts";
import { kernelFromPackage } from "../kernel/package.ts";
import { type BlobInput, blobOf, type TreeInput, treeOf } from "../stage/stage.ts";
import type { PlanContext } from "./context.ts";
import { localBlob, localTree, packageTrees } from "./sources.ts";

export interface PlannedKernel {
  readonly image: BlobInput;
  /** Text of `uname -r`. */
  readonly release: BlobInput;
  readonly modules: TreeInput;
  /** What every module says about itself. */
  readonly index: BlobInput;
}

export function planKernel(ctx: PlanContext, name: string): PlannedKernel {
  return ctx.once(`kernel:${name}`, () => {
    const config = ctx.config.kernels[name];
    if (config === undefined) throw new BootwrightError("NAME_UNKNOWN", `the config has no kernel ${name}`);
    const stage =
      config.from === "debian"
        ? kernelFromPackage({
            name: `kernel:${name}`,
            packages: packageTrees(ctx, {
              type: "debian-kernel",
              package: config.package,
              arch: ctx.debianArch,
              suite: ctx.config.sources.debian.suite,
            }),
          })
        : kernelFromFiles({
            name: `kernel:${name}`,
            image: localBlob(ctx, config.image),
            config: config.config === undefined ? undefined : localBlob(ctx, config.config),
            modules: config.modules === undefined ? undefined : localTree(ctx, config.modules),
          });
    const modules = treeOf(stage, "modules");
    const index = indexModules({ name: `modules:${name}`, modules });
    return { image: blobOf(stage, "image"), release: blobOf(stage, "release"), modules, index: blobOf(index, "index") };
  });
}
