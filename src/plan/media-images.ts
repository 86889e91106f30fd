/** Images that hold other images: EFI system partition, ISO, network boot. `find` plans an image by name. */
import { BootwrightError } from "../base/errors.ts";
import { efiBootPath } from "../image/esp.ts";
import { espImageStage, espTreeStage } from "../image/esp-stage.ts";
import { isoCommand } from "../image/iso-command.ts";
import { netbootStage } from "../image/netboot.ts";
import { commandStage } from "../stage/command.ts";
import { blobOf, type OutputRef, treeOf } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { bootEsp, espDefaults } from "./efi-images.ts";
import { espContents, espFiles, type Find } from "./esp-contents.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { toolrootTree } from "./sources.ts";
import { wholeFile } from "./whole-file.ts";

export function planEsp(
  ctx: PlanContext,
  { name, image, find }: { name: string; image: ImageSection<"esp">; find: Find },
): PlannedImage {
  const { boot, files, common } = espContents(ctx, { ...image, name, items: image.contains, find });
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

export function planIso(
  ctx: PlanContext,
  { name, image, find }: { name: string; image: ImageSection<"iso">; find: Find },
): PlannedImage {
  const { boot, common } = espContents(ctx, { name, items: [image.boot], find });
  const esp = blobOf(espImageStage({ ...espDefaults(ctx), name: `iso-esp:${name}`, boot, files: [] }), "image");
  const payload = image.payload.map((item, i) => {
    const carried = find(item);
    const content = wholeFile(ctx, carried);
    if (content === undefined)
      throw new BootwrightError("UNSUPPORTED", `image ${name} carries ${item}, which is a directory`, {
        hint: "carry single files: pack a tree as squashfs or tar",
      });
    return { input: `payload-${i}`, path: `payload/${carried.fileName}`, content };
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
  const contents = [
    ...espFiles(ctx, { boot, files: [], label: "ESP" }),
    ...payload.map(({ path, content }) => ({ name: path, content })),
  ];
  return { ...common, kind: "iso", output, fileName: `${name}.iso`, optical: true, contents, esp: () => output };
}

export function planNetboot(
  ctx: PlanContext,
  { name, image, find }: { name: string; image: ImageSection<"pxe">; find: Find },
): PlannedImage {
  const boot = find(image.boot);
  const { kernel, initrd, cmdline } = boot.direct!; // A UKI has all three apart, too.
  const file = efiBootPath(espDefaults(ctx).architecture).slice("EFI/BOOT/".length).toLowerCase();
  const program = boot.output as OutputRef<BlobArtifact>;
  const title = ctx.config.name;
  const stage = netbootStage({ name: `pxe:${name}`, efi: { program, file }, kernel, initrd, cmdline, title });
  const output = treeOf(stage, "tree");
  return {
    ...{ name, kind: "pxe", output, fileName: name, agent: boot.agent ?? false },
    ...(boot.direct && { direct: boot.direct }),
    network: { root: output, file },
  };
}
