/** `update` → stages: what machines update themselves with, and what they are updated to. */
import { BootwrightError } from "../base/errors.ts";
import { keyName, parseMinisignKey } from "../formats/minisign.ts";
import { efiBootPath } from "../image/esp.ts";
import { espImageStage } from "../image/esp-stage.ts";
import { programClosure } from "../initramfs/program-closure.ts";
import { keyFiles, loadCatalogKey, loadPublicKey } from "../sign/key-files.ts";
import { type BlobInput, blobOf, type OutputRef, type TreeInput, treeOf } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import { updateBundle } from "../update/update-bundle.ts";
import { updaterTree } from "../update/updater-tree.ts";
import type { PlanContext } from "./context.ts";
import { espDefaults } from "./efi-images.ts";
import { architecture } from "./efi-programs.ts";
import { espContents, type Find } from "./esp-contents.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { localBlob, packageRoot } from "./sources.ts";
import { wholeFile } from "./whole-file.ts";

/** Trees of the script with its settings, and of minisign with its libraries. */
export function updaterTrees(ctx: PlanContext): readonly TreeInput[] {
  return ctx.once("updater", () => {
    const { update, key } = settings(ctx);
    const stage = updaterTree({
      name: "updater",
      product: ctx.config.name,
      version: ctx.config.version ?? "0",
      update,
      bootFile: efiBootPath(architecture(ctx)).slice("EFI/BOOT/".length),
      key: localBlob(ctx, keyFiles(key.file).public),
      script: ctx.updateScript,
      partuuidScript: ctx.partuuidScript,
    });
    const root = packageRoot(ctx, ["minisign"]);
    const minisign = programClosure({ name: "updater:minisign", root, programs: ["/usr/bin/minisign"] });
    return [treeOf(minisign, "tree"), treeOf(stage, "tree")];
  });
}

/** What a disk with slots holds, as an update for machines with such a disk. */
export function planUpdate(
  ctx: PlanContext,
  { name, image, find }: { name: string; image: ImageSection<"update">; find: Find },
): PlannedImage {
  const { update, key } = settings(ctx);
  const disk = ctx.config.images[image.disk] as ImageSection<"disk">;
  const { boot, files } = espContents(ctx, { name, items: disk.esp, find, menu: disk.menu });
  const esp = espImageStage({ ...espDefaults(ctx), name: `esp:${name}`, boot, files });
  const images: Record<string, BlobInput> = { esp: blobOf(esp, "image") };
  for (const slot of Object.keys(disk.slots)) images[slot] = slotImage(ctx, find(slot), name);
  const number = keyName(parseMinisignKey(loadPublicKey(key, ctx.config.dir), keyFiles(key.file).public).id);
  const stage = updateBundle({
    name: `update:${name}`,
    product: ctx.config.name,
    version: ctx.config.version ?? "0",
    release: update.release,
    images,
    keyNumber: number,
    secret: () => loadCatalogKey(key, ctx.config.dir),
  });
  return { name, kind: "update", output: treeOf(stage, "tree"), fileName: name };
}

export function slotImage(ctx: PlanContext, image: PlannedImage, name: string): OutputRef<BlobArtifact> {
  const file = wholeFile(ctx, image);
  if (file !== undefined) return file;
  throw new BootwrightError("UNSUPPORTED", `a slot of ${name} holds ${image.name}, which is a directory`, {
    hint: "hold single files: pack a tree as erofs or squashfs",
  });
}

/** `config/update.ts` has checked that both are there. */
function settings(ctx: PlanContext) {
  const update = ctx.config.update!;
  return { update, key: ctx.config.keys[update.key]! };
}
