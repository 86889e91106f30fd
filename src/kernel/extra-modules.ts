/** Modules from elsewhere, built against a kernel of ours and put beside its own, under updates/ (kernel Documentation/kbuild/modules.rst). */
import { commandStage } from "../stage/command.ts";
import type { BlobInput, TreeInput } from "../stage/stage.ts";
import { buildProgress } from "./build-progress.ts";
import { moduleScript, WORK } from "./build-script.ts";
import { buildEnvironment, type Toolchain } from "./toolchain.ts";

export interface ExtraModulesOptions {
  readonly name: string;
  readonly toolroot: TreeInput;
  readonly toolchain: Toolchain;
  /** The link tree of the kernel's build. */
  readonly tree: BlobInput;
  /** The kernel's own modules, as tar. */
  readonly modules: BlobInput;
  /** Tar archives; `subdir` is where the Makefile lies, "." for the top. */
  readonly sources: readonly { readonly name: string; readonly subdir: string; readonly file: BlobInput }[];
  readonly moduleCompression: "none" | "zstd" | "xz";
  /** Seconds since the epoch. */
  readonly epoch: number;
}

/** Output: all modules as tar, with their indexes. */
export function extraModules(options: ExtraModulesOptions) {
  const { toolchain, sources, moduleCompression, epoch } = options;
  const names = sources.map(({ name, subdir }) => ({ name, subdir }));
  return commandStage({
    name: options.name,
    toolroot: options.toolroot,
    argv: ["bash", "-c", moduleScript({ toolchain, names, moduleCompression, epoch })],
    env: buildEnvironment(epoch, toolchain),
    inputs: {
      tree: options.tree,
      modules: options.modules,
      ...Object.fromEntries(sources.map(({ file }, i) => [`source-${i}`, file])),
    },
    outputs: ["modules"],
    weight: { cpu: 64 },
    inMemory: WORK,
    caseSensitive: true,
    hostPaths: options.toolchain.hostPaths,
    watch: buildProgress(options.name),
  });
}
