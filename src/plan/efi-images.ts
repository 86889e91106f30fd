/** Images that firmware or a loader starts: UKI, EFI-stub kernel, kernel and initrd in a directory. */
import { BootwrightError } from "../base/errors.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { hashDevice } from "../config/verity.ts";
import { efiBootPath } from "../image/esp.ts";
import { espImageStage, espTreeStage } from "../image/esp-stage.ts";
import { relinkKernel } from "../kernel/relink.ts";
import { type BlobInput, blobOf, extentsOf, type OutputRef, treeOf } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import { type UkiStageOptions, ukiInPiecesStage, ukiStage } from "../uki/stage.ts";
import { verityCmdline } from "../uki/verity-cmdline.ts";
import type { PlanContext } from "./context.ts";
import { architecture, efiProgram, ukiStub } from "./efi-programs.ts";
import { hasAgent, microcode, planInitramfs } from "./initramfs.ts";
import { planKernel } from "./kernels.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { pcrKey, pcrSigned, signed, signedBy } from "./signing.ts";
import { localBlob, textBlob } from "./sources.ts";
import { verityDescription } from "./tree-images.ts";

export function planUki(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"uki"> }): PlannedImage {
  const file = (label: string | undefined): BlobInput | undefined =>
    label === undefined ? undefined : localBlob(ctx, label);
  const direct = directParts(ctx, image);
  const parts: UkiStageOptions = {
    name: `uki:${name}`,
    stub: ukiStub(ctx, image),
    kernel: direct.kernel,
    initrd: direct.initrd,
    release: planKernel(ctx, image.kernel).release,
    cmdline: image.cmdline,
    cmdlineFile: verityRoot(ctx, { name, image }),
    osRelease: osRelease(ctx.config, { name, image }),
    osReleaseFile: file(image.osRelease),
    splash: file(image.splash),
    dtb: file(image.dtb),
    sbat: file(image.sbat),
    pcrKey: image.pcr === undefined ? undefined : pcrKey(ctx, image.pcr.sign),
    microcode:
      image.microcode.length === 0 ? undefined : microcode(ctx, { name: `ucode:${name}`, labels: image.microcode }),
  };
  const uki = signedUki(ctx, parts, { name: `uki:${name}`, image });
  return {
    name,
    kind: "uki",
    output: uki,
    fileName: `${name}.efi`,
    ...named(ctx, image),
    // Without firmware there would be nobody to hand over the root hash.
    ...(image.verity === undefined && { direct }),
    agent: withAgent(ctx, image),
    esp: () => bootEsp(ctx, { name, boot: uki, files: [] }),
  };
}

/** Put together, and signed where the config asks for it. */
function signedUki(
  ctx: PlanContext,
  parts: UkiStageOptions,
  { name, image }: { name: string; image: ImageSection<"uki"> },
): OutputRef<BlobArtifact> {
  const lacking = unsignedModules(ctx, image);
  const { sign: key, pcr } = image;
  const signing = { name, facts: { cmdline: image.cmdline } };
  // What is signed right away is written once, with its signature.
  if (pcr === undefined && key !== undefined)
    return signedBy(ctx, extentsOf(ukiInPiecesStage(parts), "image"), { ...signing, key, pending: lacking });
  const bare = blobOf(ukiStage(parts), "image");
  if (pcr === undefined) return bare;
  const policies = pcrSigned(ctx, bare, { name, key: pcr.sign, pending: lacking });
  return signed(ctx, policies.image, { ...signing, key, pending: [...lacking, policies.pending] });
}

/** Signatures that its initramfs' modules lack: what holds them will be another image. */
function unsignedModules(
  ctx: PlanContext,
  image: { readonly kernel: string; readonly initramfs: string | undefined },
): readonly BlobInput[] {
  if (image.initramfs === undefined) return [];
  const lacking = planKernel(ctx, image.kernel).unsignedModules;
  return lacking === undefined ? [] : [lacking];
}

/** The command line by which the kernel opens a verified root itself. */
function verityRoot(
  ctx: PlanContext,
  { name, image }: { name: string; image: ImageSection<"uki"> },
): BlobInput | undefined {
  if (image.verity === undefined) return undefined;
  const stage = verityCmdline({
    name: `cmdline:${name}`,
    cmdline: image.cmdline,
    device: image.verity.image,
    partition: image.verity.device,
    hashes: hashDevice(ctx.config, image.verity),
    description: verityDescription(ctx, image.verity.image),
  });
  return blobOf(stage, "cmdline");
}

/**
 * One file is a UKI under the name that firmware looks for. With `embed: "none"` the kernel starts by itself when it
 * needs neither initramfs nor command line; else firmware has no way to hand it these, so systemd-boot does.
 */
export function planEfi(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"efi"> }): PlannedImage {
  if (image.embed === "uki") {
    const uki = planUki(ctx, {
      name,
      image: { ...image, kind: "uki", microcode: [], verity: undefined, pcr: undefined },
    });
    return { ...uki, kind: "efi", fileName: efiBootPath(architecture(ctx)).slice("EFI/BOOT/".length) };
  }
  if (image.embed === "kernel") return planEmbedded(ctx, { name, image });
  const direct = directParts(ctx, image);
  const plain = direct.initrd === undefined && direct.cmdline === "";
  const sign = (program: BlobInput, what: string) => signed(ctx, program, { name: `${what}:${name}`, key: image.sign });
  const kernel = sign(direct.kernel, "kernel");
  const boot = plain ? kernel : sign(efiProgram(ctx, "boot"), "loader");
  const files: { path: string; content: BlobInput }[] = [];
  if (!plain) {
    const entry = [
      `title ${ctx.config.name}`,
      "linux /vmlinuz",
      ...(direct.initrd === undefined ? [] : ["initrd /initrd.img"]),
      `options ${direct.cmdline}`,
      "",
    ].join("\n");
    files.push({ path: "vmlinuz", content: kernel });
    if (direct.initrd !== undefined) files.push({ path: "initrd.img", content: direct.initrd });
    files.push({ path: `loader/entries/${name}.conf`, content: textBlob(ctx, `entry:${name}`, entry) });
    files.push({
      path: "loader/loader.conf",
      content: textBlob(ctx, `loader:${name}`, `default ${name}.conf\ntimeout 0\n`),
    });
  }
  const tree = espTreeStage({ ...espDefaults(ctx), name: `efi:${name}`, boot, files });
  return {
    name,
    kind: "efi",
    output: treeOf(tree, "tree"),
    fileName: name,
    direct,
    agent: withAgent(ctx, image),
    esp: () => bootEsp(ctx, { name, boot, files }),
  };
}

/** Kernel, initramfs and command line in one file that is the kernel itself. */
function planEmbedded(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"efi"> }): PlannedImage {
  const kernel = planKernel(ctx, image.kernel);
  if (kernel.source === undefined)
    throw new BootwrightError("UNSUPPORTED", `image ${name}: the kernel ${image.kernel} cannot be linked anew`, {
      hint: 'use `embed: "uki"`, which gives one file, too, or a kernel with `from: "source"`',
    });
  const { options, tree } = kernel.source;
  const unsigned = blobOf(
    relinkKernel({
      name: `efi:${name}`,
      toolroot: options.toolroot,
      toolchain: options.toolchain,
      tree,
      initramfs: image.initramfs === undefined ? undefined : planInitramfs(ctx, image.initramfs).cpio,
      cmdline: image.cmdline,
      ccache: options.ccache,
      epoch: ctx.config.epoch,
    }),
    "image",
  );
  const output = signed(ctx, unsigned, {
    ...{ name: `efi:${name}`, key: image.sign, facts: { cmdline: image.cmdline } },
    pending: unsignedModules(ctx, image),
  });
  return {
    name,
    kind: "efi",
    output,
    fileName: efiBootPath(architecture(ctx)).slice("EFI/BOOT/".length),
    ...named(ctx, image),
    direct: { kernel: output, initrd: undefined, cmdline: "" },
    agent: withAgent(ctx, image),
    esp: () => bootEsp(ctx, { name, boot: output, files: [] }),
  };
}

const named = (ctx: PlanContext, image: ImageSection<"efi" | "uki">): Pick<PlannedImage, "named"> =>
  image.name === undefined
    ? {}
    : { named: { template: image.name, release: planKernel(ctx, image.kernel).release as OutputRef<BlobArtifact> } };

export function bootEsp(
  ctx: PlanContext,
  { name, boot, files }: { name: string; boot: BlobInput; files: readonly { path: string; content: BlobInput }[] },
): OutputRef<BlobArtifact> {
  return ctx.once(`boot-esp:${name}`, () =>
    blobOf(espImageStage({ ...espDefaults(ctx), name: `boot-esp:${name}`, boot, files }), "image"),
  );
}

export const espDefaults = (ctx: PlanContext) => ({
  architecture: architecture(ctx),
  label: "ESP",
  seed: ctx.config.seed,
  epoch: ctx.config.epoch,
});

export function withAgent(ctx: PlanContext, image: { readonly initramfs: string | undefined }): boolean {
  const section = image.initramfs === undefined ? undefined : ctx.config.initramfs[image.initramfs];
  return section !== undefined && hasAgent(section);
}

export function directParts(
  ctx: PlanContext,
  image: { readonly kernel: string; readonly initramfs: string | undefined; readonly cmdline: string },
): NonNullable<PlannedImage["direct"]> {
  return {
    kernel: planKernel(ctx, image.kernel).image,
    initrd: image.initramfs === undefined ? undefined : planInitramfs(ctx, image.initramfs).initrd,
    cmdline: image.cmdline,
  };
}

/** Boot menus show PRETTY_NAME, and sort by IMAGE_ID. */
function osRelease(
  config: ResolvedConfig,
  { name, image }: { name: string; image: { title?: string | undefined; sortKey?: string | undefined } },
): string {
  const title = image.title ?? `${config.name}${config.version === undefined ? "" : ` ${config.version}`}`;
  const lines = [`ID=${config.name}`, `NAME="${config.name}"`, `PRETTY_NAME="${title}"`];
  if (config.version !== undefined) lines.push(`VERSION_ID="${config.version}"`);
  lines.push(`IMAGE_ID="${image.sortKey ?? name}"`);
  return `${lines.join("\n")}\n`;
}
