/**
 * The kernel with another initramfs inside it: the link alone is done again, out of what the build has left. The initramfs
 * lies uncompressed in there, since the kernel image is compressed as a whole.
 */
import { commandStage } from "../stage/command.ts";
import { type BlobInput, blobOf, type TreeInput } from "../stage/stage.ts";
import { buildProgress } from "./build-progress.ts";
import { cmdlineScript, relinkScript, WORK } from "./build-script.ts";
import { buildEnvironment, type Toolchain } from "./toolchain.ts";

export interface RelinkOptions {
  readonly name: string;
  readonly toolroot: TreeInput;
  readonly toolchain: Toolchain;
  /** What `compileKernel` left to link. */
  readonly tree: BlobInput;
  /** An uncompressed cpio archive; it must hold /dev/console, or its /init has no output. */
  readonly initramfs: BlobInput | undefined;
  /** Built in, for firmware gives none. */
  readonly cmdline: string;
  /** A command line of its own changes some headers: what sees them is compiled once, and remembered. */
  readonly ccache: boolean;
  /** Seconds since the epoch. */
  readonly epoch: number;
}

export function relinkKernel(options: RelinkOptions) {
  const { toolchain, initramfs, epoch } = options;
  return commandStage({
    name: options.name,
    toolroot: options.toolroot,
    argv: ["bash", "-c", relinkScript({ toolchain, embeds: initramfs !== undefined })],
    env: buildEnvironment(epoch, toolchain),
    inputs: { tree: withCmdline(options), ...(initramfs && { initramfs }) },
    outputs: ["image"],
    weight: { cpu: 64 },
    inMemory: WORK,
    caseSensitive: true,
    hostPaths: options.toolchain.hostPaths,
    watch: buildProgress(options.name),
  });
}

/** A stage of its own, since a command line changes less often than an initramfs, and costs more. */
function withCmdline(options: RelinkOptions): BlobInput {
  const { name, toolroot, toolchain, tree, cmdline, ccache, epoch } = options;
  if (cmdline === "") return tree;
  const stage = commandStage({
    name: `${name}-cmdline`,
    toolroot,
    argv: ["bash", "-c", cmdlineScript({ toolchain, cmdline, epoch })],
    env: buildEnvironment(epoch, toolchain),
    inputs: { tree },
    outputs: ["tree"],
    weight: { cpu: 64 },
    ...(ccache && { caches: ["ccache"] }),
    inMemory: WORK,
    caseSensitive: true,
    hostPaths: toolchain.hostPaths,
    watch: buildProgress(name),
  });
  return blobOf(stage, "tree");
}
