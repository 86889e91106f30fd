/** `images` → stages: which plan for which kind. */
import { BootwrightError } from "../base/errors.ts";
import { didYouMean } from "../base/suggest.ts";
import type { OutputRef } from "../stage/stage.ts";
import { planAddon } from "./addons.ts";
import { planChecksums } from "./checksums.ts";
import type { PlanContext } from "./context.ts";
import { planDisk } from "./disk-images.ts";
import { planEfi, planUki } from "./efi-images.ts";
import { planFile } from "./file-images.ts";
import { planInitramfs } from "./initramfs.ts";
import { planDirect } from "./kernel-directory.ts";
import { planEsp, planIso, planNetboot } from "./media-images.ts";
import { planMicrovm } from "./microvm-images.ts";
import type { PlannedImage } from "./planned-image.ts";
import { planArchive, planOci, planVerityTree } from "./tree-images.ts";
import { planUpdate } from "./updates.ts";
import { planVeritySignature } from "./verity-signature.ts";

/** Those with a `budget` among the images that were planned, for themselves or as part of another. */
export const budgetedImages = (ctx: PlanContext): readonly { image: PlannedImage; budget: number }[] =>
  Object.entries(ctx.config.images).flatMap(([name, { budget }]) =>
    budget === undefined || !ctx.has(`image:${name}`) ? [] : { image: planImage(ctx, name), budget },
  );

export function planImage(ctx: PlanContext, name: string): PlannedImage {
  return ctx.once(`image:${name}`, () => {
    const names = Object.keys(ctx.config.images);
    const image = ctx.config.images[name];
    if (image === undefined)
      throw new BootwrightError("NAME_UNKNOWN", `there is no image "${name}"${didYouMean(name, names)}`, {
        hint: `images of this project: ${names.join(", ") || "none"}`,
      });
    const find = (item: string) => planImage(ctx, item);
    switch (image.kind) {
      case "uki":
        return planUki(ctx, { name, image });
      case "addon":
        return planAddon(ctx, { name, image });
      case "efi":
        return planEfi(ctx, { name, image });
      case "esp":
        return planEsp(ctx, { name, image, find });
      case "update":
        return planUpdate(ctx, { name, image, find });
      case "disk":
        return planDisk(ctx, { name, image, find });
      case "iso":
        return planIso(ctx, { name, image, find });
      case "tar":
      case "squashfs":
      case "erofs":
      case "ext4":
        return planArchive(ctx, { name, image });
      case "oci":
        return planOci(ctx, { name, image });
      case "microvm":
        return planMicrovm(ctx, { name, image });
      case "pxe":
        return planNetboot(ctx, { name, image, find });
      case "sha256sums":
        return planChecksums(ctx, { name, image, find });
      case "verity-signature":
        return planVeritySignature(ctx, { name, image });
      case "verity-tree":
        return planVerityTree(ctx, { name, image });
      case "file":
        return planFile(ctx, { name, image });
      case "kernel":
        return planDirect(ctx, { name, image });
      default: {
        const { initrd } = planInitramfs(ctx, image.initramfs);
        return { name, kind: image.kind, output: initrd as OutputRef, fileName: `${name}.cpio` };
      }
    }
  });
}
