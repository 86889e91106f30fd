/** Trees as one file or layout: tar, SquashFS, EROFS, ext4, container image. */
import { erofsStage } from "../image/erofs-stage.ts";
import { ext4Stage } from "../image/ext4-stage.ts";
import { ociStage } from "../image/oci-stage.ts";
import { tarStage } from "../image/tar-stage.ts";
import { verityStage } from "../image/verity-stage.ts";
import { commandStage } from "../stage/command.ts";
import { blobOf, type OutputRef, type TreeInput, treeOf } from "../stage/stage.ts";
import type { BlobArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { toolrootTree } from "./sources.ts";
import { planTree } from "./trees.ts";

export function planArchive(
  ctx: PlanContext,
  { name, image }: { name: string; image: ImageSection<"tar" | "squashfs" | "erofs" | "ext4"> },
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
  if (image.kind === "erofs") {
    const { seed } = ctx.config;
    const output = blobOf(erofsStage({ name: `erofs:${name}`, tree, seed, epoch, label: image.label }), "image");
    return verified(ctx, { planned: { name, kind: "erofs", output, fileName: `${name}.erofs` }, verity: image.verity });
  }
  if (image.kind === "ext4") {
    const { verity, size, label } = image;
    const own = { name: `ext4:${name}`, tree, seed: ctx.config.seed, epoch, label, size, readonly: verity !== false };
    const output = blobOf(ext4Stage(own), "image");
    return verified(ctx, { planned: { name, kind: "ext4", output, fileName: `${name}.ext4` }, verity });
  }
  const output = squashfsOf(ctx, { name, tree, compress: image.compress });
  const planned = { name, kind: "squashfs", output, fileName: `${name}.squashfs` } as const;
  return verified(ctx, { planned, verity: image.verity });
}

/** What opens a verified image, for whoever refers to it by name; `config/verity.ts` has checked that it is one. */
export const verityDescription = (ctx: PlanContext, name: string): OutputRef<BlobArtifact> =>
  verifiedImage(ctx, name).verity!;

export function verifiedImage(ctx: PlanContext, name: string): PlannedImage {
  const image = ctx.config.images[name] as ImageSection<"squashfs" | "erofs" | "ext4">;
  return ctx.once(`image:${name}`, () => planArchive(ctx, { name, image }));
}

/** With its hash tree, when that is asked for. */
function verified(
  ctx: PlanContext,
  { planned, verity }: { planned: PlannedImage & { output: OutputRef<BlobArtifact> }; verity: boolean | "apart" },
): PlannedImage {
  if (verity === false) return planned;
  const { name, output } = planned;
  const apart = verity === "apart";
  const stage = verityStage({ name: `verity:${name}`, image: output, seed: `${ctx.config.seed} ${name}`, apart });
  return {
    ...planned,
    output: blobOf(stage, "image"),
    verity: blobOf(stage, "description"),
    rootHash: blobOf(stage, "rootHash"),
    ...(apart && { hashes: blobOf(stage, "hashes") }),
  };
}

/** The hash tree of an image that has it apart; `config/verity.ts` has checked that it does. */
export const planVerityTree = (
  ctx: PlanContext,
  { name, image }: { name: string; image: ImageSection<"verity-tree"> },
): PlannedImage => ({
  ...{ name, kind: "verity-tree", fileName: `${name}.verity` },
  output: verifiedImage(ctx, image.of).hashes!,
});

/** A tree packed as SquashFS. */
export function squashfsOf(
  ctx: PlanContext,
  { name, tree, compress }: { name: string; tree: TreeInput; compress: ImageSection<"squashfs">["compress"] },
): OutputRef<BlobArtifact> {
  const { epoch } = ctx.config;
  const packed = tarStage({ name: `squashfs-tar:${name}`, tree, epoch, compress: undefined });
  const pack = `sqfstar -comp ${compress} -no-progress -quiet $root_options outputs/image <inputs/archive`;
  const squashfs = commandStage({
    name: `squashfs:${name}`,
    toolroot: toolrootTree(ctx, ["busybox-static", "squashfs-tools"]),
    argv: ["busybox", "sh", "-c", `. ./inputs/root; ${pack}`],
    inputs: { archive: blobOf(packed, "archive"), root: blobOf(packed, "root") },
    outputs: ["image"],
    weight: { cpu: 2 },
  });
  return blobOf(squashfs, "image");
}

export function planOci(ctx: PlanContext, { name, image }: { name: string; image: ImageSection<"oci"> }): PlannedImage {
  const { tag, config } = image;
  const { epoch, arch } = ctx.config;
  const trees = typeof image.tree === "string" ? { [arch]: image.tree } : image.tree;
  const arches = (["x86_64", "aarch64"] as const).filter((one) => trees[one] !== undefined);
  const images = arches.map((one) => {
    const own = ctx.forArch(one);
    return { tree: planTree(own, trees[one]!), architecture: own.debianArch };
  });
  const layout = ociStage({ name: `oci:${name}`, images, tag, epoch, config });
  const output = treeOf(layout, "tree");
  return { name, kind: "oci", output, fileName: name, arch: arches.length === 1 ? arches[0]! : "multi" };
}
