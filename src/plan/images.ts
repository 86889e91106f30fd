/** `images` → stages, and for each image the ways in which it can be booted. */
import { BootwrightError } from "../base/errors.ts";
import { didYouMean } from "../base/suggest.ts";
import type { ResolvedConfig } from "../config/resolved.ts";
import { diskStage } from "../image/disk-stage.ts";
import { type EfiArchitecture, efiBootPath } from "../image/esp.ts";
import { espImageStage, espTreeStage } from "../image/esp-stage.ts";
import { isoCommand } from "../image/iso-command.ts";
import { ociStage } from "../image/oci-stage.ts";
import { tarStage } from "../image/tar-stage.ts";
import { commandStage } from "../stage/command.ts";
import { type BlobInput, blobOf, defineStage, type OutputRef, treeOf } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import { ukiStage } from "../uki/stage.ts";
import type { PlanContext } from "./context.ts";
import { hasAgent, microcode, planInitramfs } from "./initramfs.ts";
import { planKernel } from "./kernels.ts";
import { fileFromTree, localBlob, packageTrees, toolrootTree } from "./sources.ts";
import { planTree } from "./trees.ts";

type ImageSection<K extends ResolvedConfig["images"][string]["kind"] = ResolvedConfig["images"][string]["kind"]> =
  Extract<ResolvedConfig["images"][string], { kind: K }>;

export interface PlannedImage {
  readonly name: string;
  readonly kind: ImageSection["kind"];
  readonly output: OutputRef;
  /** Its name under out/. */
  readonly fileName: string;
  /** Kernel, initrd and command line, where the image has them: for boot without firmware. */
  readonly direct?: { readonly kernel: BlobInput; readonly initrd: BlobInput | undefined; readonly cmdline: string };
  /** True when the guest itself says that it is ready: its initramfs has the agent. */
  readonly agent?: boolean;
  /** A CD image: it is put into an optical drive. */
  readonly optical?: boolean;
  /** Of the disk that the image is; default 512. */
  readonly sectorSize?: 512 | 4096;
  /** A FAT image that firmware boots from; made only when it is booted that way. */
  readonly esp?: () => OutputRef<BlobArtifact>;
}

export function planImage(ctx: PlanContext, name: string): PlannedImage {
  return ctx.once(`image:${name}`, () => {
    const names = Object.keys(ctx.config.images);
    const image = ctx.config.images[name];
    if (image === undefined)
      throw new BootwrightError("NAME_UNKNOWN", `there is no image "${name}"${didYouMean(name, names)}`, {
        hint: `images of this project: ${names.join(", ") || "none"}`,
      });
    switch (image.kind) {
      case "uki":
        return planUki(ctx, { name, image });
      case "efi":
        return planEfi(ctx, { name, image });
      case "esp":
        return planEsp(ctx, { name, image });
      case "disk":
        return planDisk(ctx, { name, image });
      case "iso":
        return planIso(ctx, { name, image });
      case "tar":
      case "squashfs":
        return planArchive(ctx, { name, image });
      case "oci":
        return planOci(ctx, { name, image });
      case "kernel":
        return planDirect(ctx, { name, image });
      default: {
        const { initrd } = planInitramfs(ctx, image.initramfs);
        return { name, kind: image.kind, output: initrd as OutputRef, fileName: `${name}.cpio` };
      }
    }
  });
}

function planUki(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"uki"> }): PlannedImage {
  const file = (label: string | undefined): BlobInput | undefined =>
    label === undefined ? undefined : localBlob(ctx, label);
  const direct = directParts(ctx, image);
  const uki = blobOf(
    ukiStage({
      name: `uki:${name}`,
      stub: image.stub === undefined ? efiProgram(ctx, "stub") : localBlob(ctx, image.stub),
      kernel: direct.kernel,
      initrd: direct.initrd,
      release: planKernel(ctx, image.kernel).release,
      cmdline: image.cmdline,
      osRelease: osRelease(ctx.config, name),
      osReleaseFile: file(image.osRelease),
      splash: file(image.splash),
      dtb: file(image.dtb),
      sbat: file(image.sbat),
      microcode:
        image.microcode.length === 0 ? undefined : microcode(ctx, { name: `ucode:${name}`, labels: image.microcode }),
    }),
    "image",
  );
  return {
    name,
    kind: "uki",
    output: uki,
    fileName: `${name}.efi`,
    direct,
    agent: withAgent(ctx, image),
    esp: () => bootEsp(ctx, { name, boot: uki, files: [] }),
  };
}

/**
 * One file is a UKI under the name that firmware looks for. With `embed: "none"` the kernel starts by itself when it
 * needs neither initramfs nor command line; else firmware has no way to hand it these, so systemd-boot does.
 */
function planEfi(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"efi"> }): PlannedImage {
  if (image.embed === "uki") {
    const uki = planUki(ctx, { name, image: { ...image, kind: "uki", microcode: [] } });
    return { ...uki, kind: "efi", fileName: efiBootPath(architecture(ctx)).slice("EFI/BOOT/".length) };
  }
  const direct = directParts(ctx, image);
  const plain = direct.initrd === undefined && direct.cmdline === "";
  const boot = plain ? direct.kernel : efiProgram(ctx, "boot");
  const files: { path: string; content: BlobInput }[] = [];
  if (!plain) {
    const entry = [
      `title ${ctx.config.name}`,
      "linux /vmlinuz",
      ...(direct.initrd === undefined ? [] : ["initrd /initrd.img"]),
      `options ${direct.cmdline}`,
      "",
    ].join("\n");
    files.push({ path: "vmlinuz", content: direct.kernel });
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

function planEsp(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"esp"> }): PlannedImage {
  const { boot, files, common } = espContents(ctx, { name, items: image.contains });
  const options = { ...espDefaults(ctx), name: `esp:${name}`, boot, files, label: image.label, size: image.size };
  if (image.format === "directory")
    return {
      ...common,
      kind: "esp",
      output: treeOf(espTreeStage(options), "tree"),
      fileName: name,
      esp: () => bootEsp(ctx, { name, boot, files }),
    };
  const output = blobOf(espImageStage(options), "image");
  return { ...common, kind: "esp", output, fileName: `${name}.img`, esp: () => output };
}

function planDisk(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"disk"> }): PlannedImage {
  const { boot, files, common } = espContents(ctx, { name, items: image.esp });
  const { espSize, size, sectorSize, data } = image;
  const root = image.tree === undefined ? undefined : { ...image.root, tree: planTree(ctx, image.tree) };
  const disk = diskStage({
    ...espDefaults(ctx),
    name: `disk:${name}`,
    boot,
    files,
    espSize,
    root,
    data,
    size,
    sectorSize,
  });
  const output = blobOf(disk, "image");
  return { ...common, kind: "disk", output, fileName: `${name}.img`, sectorSize, esp: () => output };
}

/** Images and files on an EFI system partition: the first image is what firmware starts. */
function espContents(ctx: PlanContext, { name, items }: { name: string; items: ImageSection<"esp">["contains"] }) {
  const files: { path: string; content: BlobInput }[] = [];
  let boot: BlobInput | undefined;
  let first: PlannedImage | undefined;
  for (const item of items) {
    if (typeof item !== "string") {
      files.push({ path: item.to.replace(/^\/+/, ""), content: localBlob(ctx, item.file) });
      continue;
    }
    const contained = planImage(ctx, item);
    if (contained.output.kind !== "blob")
      throw new BootwrightError("UNSUPPORTED", `image ${name} contains ${item}, which is a directory`, {
        hint: "contain UKIs, EFI files and single files",
      });
    const content = contained.output as OutputRef<BlobArtifact>;
    if (boot === undefined) {
      boot = content;
      first = contained;
    } else
      files.push({ path: contained.kind === "uki" ? `EFI/Linux/${contained.fileName}` : contained.fileName, content });
  }
  if (boot === undefined) throw new BootwrightError("CONFIG_INVALID", `image ${name} contains no image to boot`);
  return {
    boot,
    files,
    common: { name, ...(first?.direct && { direct: first.direct }), agent: first?.agent ?? false },
  };
}

function planIso(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"iso"> }): PlannedImage {
  const { boot, common } = espContents(ctx, { name, items: [image.boot] });
  const esp = blobOf(espImageStage({ ...espDefaults(ctx), name: `iso-esp:${name}`, boot, files: [] }), "image");
  const payload = image.payload.map((item, i) => {
    const { output, fileName } = planImage(ctx, item);
    if (output.kind !== "blob")
      throw new BootwrightError("UNSUPPORTED", `image ${name} carries ${item}, which is a directory`, {
        hint: "carry single files: pack a tree as squashfs or tar",
      });
    return { input: `payload-${i}`, path: `payload/${fileName}`, content: output as OutputRef<BlobArtifact> };
  });
  const { argv, env } = isoCommand({ label: image.label, files: payload, epoch: ctx.config.epoch });
  const inputs = { esp, ...Object.fromEntries(payload.map(({ input, content }) => [input, content])) };
  const iso = commandStage({
    name: `iso:${name}`,
    toolroot: toolrootTree(ctx, ["xorriso"]),
    argv,
    env,
    inputs,
    outputs: ["image"],
  });
  const output = blobOf(iso, "image");
  return { ...common, kind: "iso", output, fileName: `${name}.iso`, optical: true, esp: () => output };
}

function planArchive(
  ctx: PlanContext,
  { name, image }: { name: string; image: ImageSection<"tar" | "squashfs"> },
): PlannedImage {
  const tree = planTree(ctx, image.tree);
  const { epoch } = ctx.config;
  if (image.kind === "tar") {
    const compression =
      image.compress === "none" ? undefined : { kind: image.compress, level: image.compress === "zstd" ? 3 : 6 };
    const suffix = { zstd: ".zst", gzip: ".gz", none: "" }[image.compress];
    const output = blobOf(tarStage({ name: `tar:${name}`, tree, epoch, compress: compression }), "archive");
    return { name, kind: "tar", output, fileName: `${name}.tar${suffix}` };
  }
  const packed = tarStage({ name: `squashfs-tar:${name}`, tree, epoch, compress: undefined });
  const pack = `sqfstar -comp ${image.compress} -no-progress -quiet $root_options outputs/image <inputs/archive`;
  const squashfs = commandStage({
    name: `squashfs:${name}`,
    toolroot: toolrootTree(ctx, ["busybox-static", "squashfs-tools"]),
    argv: ["busybox", "sh", "-c", `. ./inputs/root; ${pack}`],
    inputs: { archive: blobOf(packed, "archive"), root: blobOf(packed, "root") },
    outputs: ["image"],
    weight: { cpu: 2 },
  });
  return { name, kind: "squashfs", output: blobOf(squashfs, "image"), fileName: `${name}.squashfs` };
}

function planOci(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"oci"> }): PlannedImage {
  const { tag, config } = image;
  const { epoch } = ctx.config;
  const tree = planTree(ctx, image.tree);
  const layout = ociStage({ name: `oci:${name}`, tree, architecture: ctx.debianArch, tag, epoch, config });
  return { name, kind: "oci", output: treeOf(layout, "tree"), fileName: name };
}

/** A directory with what a loader without firmware needs. */
function planDirect(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"kernel"> }): PlannedImage {
  const direct = directParts(ctx, image);
  const stage = defineStage<{ kernel: BlobInput; initrd: BlobInput | undefined }, { tree: TreeArtifact }>({
    name: `kernel-dir:${name}`,
    kind: "kernel-directory",
    version: 1,
    inputs: { kernel: direct.kernel, initrd: direct.initrd },
    params: { cmdline: direct.cmdline },
    outputs: ["tree"],
    run: async ({ inputs, store }) => {
      const file = (path: string, content: { hash: string; size: number }) => ({
        type: "file" as const,
        path,
        mode: 0o644,
        uid: 0,
        gid: 0,
        content: { hash: content.hash, size: content.size },
      });
      return {
        tree: store.putTree([
          { type: "directory", path: "", mode: 0o755, uid: 0, gid: 0 },
          file("cmdline", store.blobs.put(`${direct.cmdline}\n`)),
          ...(inputs.initrd === undefined ? [] : [file("initrd", inputs.initrd)]),
          file("vmlinuz", inputs.kernel),
        ]),
      };
    },
  });
  return { name, kind: "kernel", output: treeOf(stage, "tree"), fileName: name, direct, agent: withAgent(ctx, image) };
}

function withAgent(ctx: PlanContext, image: { readonly initramfs: string | undefined }): boolean {
  const section = image.initramfs === undefined ? undefined : ctx.config.initramfs[image.initramfs];
  return section !== undefined && hasAgent(section);
}

function directParts(
  ctx: PlanContext,
  image: { readonly kernel: string; readonly initramfs: string | undefined; readonly cmdline: string },
): NonNullable<PlannedImage["direct"]> {
  return {
    kernel: planKernel(ctx, image.kernel).image,
    initrd: image.initramfs === undefined ? undefined : planInitramfs(ctx, image.initramfs).initrd,
    cmdline: image.cmdline,
  };
}

/** systemd's stub or boot loader, from the distribution's package. */
function efiProgram(ctx: PlanContext, program: "stub" | "boot"): BlobInput {
  return ctx.once(`efi-program:${program}`, () => {
    const tag = ctx.config.arch === "aarch64" ? "aa64" : "x64";
    const path = `usr/lib/systemd/boot/efi/${program === "stub" ? `linux${tag}.efi.stub` : `systemd-boot${tag}.efi`}`;
    const [tree] = packageTrees(ctx, {
      type: "debian-packages",
      packages: ["systemd-boot-efi"],
      arch: ctx.debianArch,
      suite: ctx.config.sources.debian.suite,
    });
    return fileFromTree(ctx, { name: `efi-program:${program}`, tree: tree!, path });
  });
}

function bootEsp(
  ctx: PlanContext,
  { name, boot, files }: { name: string; boot: BlobInput; files: readonly { path: string; content: BlobInput }[] },
): OutputRef<BlobArtifact> {
  return ctx.once(`boot-esp:${name}`, () =>
    blobOf(espImageStage({ ...espDefaults(ctx), name: `boot-esp:${name}`, boot, files }), "image"),
  );
}

const espDefaults = (ctx: PlanContext) => ({
  architecture: architecture(ctx),
  label: "ESP",
  seed: ctx.config.seed,
  epoch: ctx.config.epoch,
});

const architecture = (ctx: PlanContext): EfiArchitecture => (ctx.config.arch === "aarch64" ? "arm64" : "amd64");

function osRelease(config: ResolvedConfig, image: string): string {
  const lines = [
    `ID=${config.name}`,
    `NAME="${config.name}"`,
    `PRETTY_NAME="${config.name}${config.version === undefined ? "" : ` ${config.version}`}"`,
  ];
  if (config.version !== undefined) lines.push(`VERSION_ID="${config.version}"`);
  lines.push(`IMAGE_ID="${image}"`);
  return `${lines.join("\n")}\n`;
}

function textBlob(ctx: PlanContext, name: string, text: string): BlobInput {
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
