/** Origins of trees that come with a kernel: its modules, and firmware. */
import { BootwrightError } from "../base/errors.ts";
import { tarStage } from "../image/tar-stage.ts";
import { DEPMOD_PACKAGES, depmod } from "../kernel/depmod.ts";
import { selectFirmware } from "../kernel/firmware.ts";
import { selectModulesStage } from "../kernel/module-selection.ts";
import { importArchive } from "../source/import-archive.ts";
import { type BlobInput, blobOf, type TreeInput, treeOf } from "../stage/stage.ts";
import type { PlanContext } from "./context.ts";
import { planKernel } from "./kernels.ts";
import { archiveTree, localTree, packageTrees, toolrootTree } from "./sources.ts";

/** Modules with the indexes for kmod's modprobe. */
export function modulesTree(
  ctx: PlanContext,
  { modules, kernel: asked }: { modules: "all" | readonly string[]; kernel?: string | undefined },
): TreeInput {
  const name = asked ?? onlyKernel(ctx);
  const label = modules === "all" ? name : `${name}:${[...modules].sort().join("+")}`;
  return ctx.once(`modules-tree:${label}`, () => {
    const kernel = planKernel(ctx, name);
    // What was built here has its indexes.
    if (modules === "all" && kernel.source !== undefined) return kernel.modules;
    const { index, devices } = kernel;
    const tree =
      modules === "all"
        ? kernel.modules
        : treeOf(
            selectModulesStage({
              name: `choose:${label}`,
              modules: kernel.modules,
              index,
              devices,
              choice: { first: modules, later: [] },
              optional: [],
            }),
            "tree",
          );
    const { epoch } = ctx.config;
    const packed = tarStage({ name: `modules-tar:${label}`, tree, epoch, compress: undefined });
    const toolroot = toolrootTree(ctx, DEPMOD_PACKAGES);
    const indexed = depmod({ name: `depmod:${label}`, toolroot, modules: blobOf(packed, "archive"), epoch });
    return treeOf(
      importArchive({
        name: `indexed-modules:${label}`,
        archive: blobOf(indexed, "modules"),
        what: `modules of ${name}`,
      }),
      "tree",
    );
  });
}

/** Firmware by pattern, and by what modules name. */
export function firmwareTree(
  ctx: PlanContext,
  { name, patterns, named }: { name: string; patterns: readonly string[]; named?: BlobInput | undefined },
): TreeInput {
  return treeOf(selectFirmware({ name, collection: firmwareCollection(ctx), patterns, named }), "tree");
}

function firmwareCollection(ctx: PlanContext): readonly TreeInput[] {
  const source = ctx.config.sources.firmware ?? { type: "debian", debian: ["firmware-linux-free"] };
  switch (source.type) {
    case "dir":
      return [localTree(ctx, source.dir)];
    case "archive":
      return [archiveTree(ctx, source)];
    default:
      return packageTrees(ctx, {
        type: "debian-packages",
        packages: source.debian,
        arch: ctx.debianArch,
        suite: ctx.config.sources.debian.suite,
      });
  }
}

function onlyKernel(ctx: PlanContext): string {
  const names = Object.keys(ctx.config.kernels);
  if (names.length === 1) return names[0]!;
  const message = names.length === 0 ? "the config has no kernel to take modules of" : "say of which kernel";
  throw new BootwrightError("CONFIG_INVALID", `from: { modules }: ${message}`, {
    hint: `{ modules: "all", kernel: "${names[0] ?? "default"}" }`,
  });
}
