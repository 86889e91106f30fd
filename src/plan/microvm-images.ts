/** `kind: "microvm"` → stages: the root as a disk without a partition table, and the directory around it. */
import { erofsStage } from "../image/erofs-stage.ts";
import { ext4Stage } from "../image/ext4-stage.ts";
import { kernelPayload, microvmStage, UNPACK_PAYLOAD } from "../image/microvm-stage.ts";
import { commandStage } from "../stage/command.ts";
import { type BlobInput, blobOf, type OutputRef, treeOf } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { directParts, withAgent } from "./efi-images.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { toolrootTree } from "./sources.ts";
import { squashfsOf } from "./tree-images.ts";
import { planTree } from "./trees.ts";

type MicrovmSection = ImageSection<"microvm">;

export function planMicrovm(ctx: PlanContext, { name, image }: { name: string; image: MicrovmSection }): PlannedImage {
  const { fs } = image.root;
  const cmdline = withRoot(image);
  const direct = directParts(ctx, { ...image, cmdline });
  const root = rootDisk(ctx, { name, image });
  const readonly = fs !== "ext4";
  const stage = microvmStage({
    name: `microvm:${name}`,
    ...{ kernel: direct.kernel, elf: elfKernel(ctx, image.kernel, direct.kernel), initrd: direct.initrd, root },
    vm: {
      architecture: ctx.debianArch,
      cmdline,
      initrd: direct.initrd !== undefined,
      root: { file: `root.${fs}`, readonly },
      memory: image.memory,
      cpus: image.cpus,
    },
  });
  return {
    ...{ name, kind: "microvm", output: treeOf(stage, "tree"), fileName: name, direct, agent: withAgent(ctx, image) },
    ...{ disks: [root], microvm: { memory: image.memory, cpus: image.cpus } },
  };
}

/** Firecracker and cloud-hypervisor start ELF files; on arm64 they take the Image as it is. */
function elfKernel(ctx: PlanContext, name: string, kernel: BlobInput): BlobInput | undefined {
  if (ctx.debianArch !== "amd64") return undefined;
  return ctx.once(`vmlinux:${name}`, () => {
    const payload = blobOf(kernelPayload({ name: `payload:${name}`, kernel }), "payload");
    const unpack = commandStage({
      name: `vmlinux:${name}`,
      toolroot: toolrootTree(ctx, ["busybox-static", "xz-utils"]),
      argv: ["busybox", "sh", "-c", UNPACK_PAYLOAD],
      inputs: { payload },
      outputs: ["elf"],
    });
    return blobOf(unpack, "elf");
  });
}

function rootDisk(ctx: PlanContext, { name, image }: { name: string; image: MicrovmSection }): OutputRef<BlobArtifact> {
  const { fs, size, label } = image.root;
  const tree = planTree(ctx, image.tree);
  const { seed, epoch } = ctx.config;
  const own = { name: `microvm-root:${name}`, tree, seed: `${seed} ${name}`, epoch, label };
  if (fs === "squashfs") return squashfsOf(ctx, { name: `${name}-root`, tree, compress: "zstd" });
  return fs === "erofs" ? blobOf(erofsStage(own), "image") : blobOf(ext4Stage({ ...own, size }), "image");
}

/** The root is the only disk. A command line that names another keeps it. */
function withRoot({ cmdline, root: { fs } }: MicrovmSection): string {
  if (/(?:^|\s)root=/.test(cmdline)) return cmdline;
  const mode = /(?:^|\s)r[ow](?:\s|$)/.test(cmdline) ? "" : fs === "ext4" ? " rw" : " ro";
  return `${cmdline} root=/dev/vda rootfstype=${fs}${mode}`.trim();
}
