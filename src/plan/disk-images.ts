/** `kind: "disk"` → stages: partitions out of trees and images, the disk, and the format of a hypervisor around it. */
import { BootwrightError } from "../base/errors.ts";
import { type PartitionType, partitionType } from "../formats/partition-types.ts";
import { convertCommand } from "../image/disk-format.ts";
import type { DiskPartition } from "../image/disk-partition.ts";
import { diskStage, treeInput } from "../image/disk-stage.ts";
import { fixedIdentityStage } from "../image/fixed-identity.ts";
import { volumeStage } from "../image/volume-stage.ts";
import { commandStage } from "../stage/command.ts";
import { blobOf, extentsOf, type OutputRef } from "../stage/stage.ts";
import type { BlobArtifact, ExtentsArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import { espDefaults } from "./efi-images.ts";
import { espContents, espFiles, type Find } from "./esp-contents.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { toolrootTree } from "./sources.ts";
import { squashfsOf } from "./tree-images.ts";
import { planTree } from "./trees.ts";
import { slotImage } from "./updates.ts";
import { wholeFile } from "./whole-file.ts";

type DiskSection = ImageSection<"disk">;

const SUFFIX = { raw: "img", qcow2: "qcow2", vhd: "vhd", vmdk: "vmdk" } as const;

export function planDisk(
  ctx: PlanContext,
  { name, image, find }: { name: string; image: DiskSection; find: Find },
): PlannedImage {
  const { boot, files, common } = espContents(ctx, { ...image, name, items: image.esp, find });
  const { espSize, size, sectorSize, format } = image;
  const partitions = [
    ...slotPartitions(ctx, { name, image, find }),
    ...rootPartition(ctx, { name, image }),
    ...Object.entries(image.partitions).map(([label, part]) => extraPartition(ctx, { name, label, part, find })),
    ...dataPartition(ctx, image),
  ];
  const espLabel = image.layout === undefined ? undefined : "esp-a";
  const disk = diskStage({
    ...espDefaults(ctx),
    name: format === "raw" ? `disk:${name}` : `disk-raw:${name}`,
    ...{ boot, files, espSize, partitions, size, sectorSize, espLabel },
  });
  const contents = [
    ...espFiles(ctx, { boot, files, label: espLabel ?? "ESP" }),
    ...partitions.flatMap((partition) => partitionContent(ctx, { image, partition })),
  ];
  const fileName = `${name}.${SUFFIX[format]}`;
  const output = inFormat(ctx, { name, fileName, format, raw: extentsOf(disk, "image") });
  return { ...common, kind: "disk", output, fileName, sectorSize, diskFormat: format, contents, esp: () => output };
}

/** The raw disk in a hypervisor's format, by qemu-img; then what it draws by lot is replaced. */
function inFormat(
  ctx: PlanContext,
  options: { name: string; fileName: string; format: DiskSection["format"]; raw: OutputRef<ExtentsArtifact> },
): OutputRef<BlobArtifact | ExtentsArtifact> {
  const { name, fileName, format, raw } = options;
  if (format === "raw") return raw;
  const converted = commandStage({
    name: format === "qcow2" ? `disk:${name}` : `disk-${format}:${name}`,
    toolroot: toolrootTree(ctx, ["qemu-utils"]),
    argv: convertCommand(format),
    inputs: { disk: wholeFile(ctx, { name, output: raw })! },
    outputs: ["image"],
  });
  const image = blobOf(converted, "image");
  if (format === "qcow2") return image;
  const { seed, epoch } = ctx.config;
  return blobOf(fixedIdentityStage({ name: `disk:${name}`, image, format, fileName, seed, epoch }), "image");
}

function partitionContent(
  ctx: PlanContext,
  { image, partition: { label, content } }: { image: DiskSection; partition: DiskPartition },
): NonNullable<PlannedImage["contents"]> {
  const laidOut = () => (image.tree === undefined ? undefined : planTree(ctx, image.tree));
  const input = content.kind === "file" ? content.file : content.kind === "volume" ? laidOut() : treeInput(content);
  return input === undefined ? [] : [{ name: label, content: input }];
}

function rootPartition(ctx: PlanContext, { name, image }: { name: string; image: DiskSection }): DiskPartition[] {
  if (image.tree === undefined) return [];
  const { fs, size, label } = image.root;
  const tree = planTree(ctx, image.tree);
  const type = typeOf(ctx, "root");
  if (fs === "squashfs") {
    const file = squashfsOf(ctx, { name: `${name}-root`, tree, compress: "zstd" });
    return [{ label, type, content: { kind: "file", file }, size }];
  }
  // How large it becomes is known when all other partitions are.
  if (fs === "ext4" && size === "rest") return [{ label, type, content: { kind: "ext4", tree }, size }];
  const { seed, epoch } = ctx.config;
  const own = { fs, tree, seed, epoch, label, size: fs === "ext4" && size !== "rest" ? size : undefined };
  const volume = extentsOf(volumeStage({ name: `volume:${name}`, ...own }), "image");
  return [{ label, type, content: { kind: "volume", volume, readonly: fs === "erofs" }, size }];
}

/** What an update replaces: filled in slot a, empty in slot b. Both EFI system partitions come first. */
function slotPartitions(
  ctx: PlanContext,
  { name, image, find }: { name: string; image: DiskSection; find: Find },
): DiskPartition[] {
  if (image.layout === undefined) return [];
  const both = image.layout === "ab";
  const type = typeOf(ctx, "linux");
  const esp: DiskPartition = {
    label: "esp-b",
    type: typeOf(ctx, "esp"),
    content: { kind: "empty" },
    size: image.espSize,
  };
  const slots = Object.entries(image.slots).flatMap(([slot, { size }]): DiskPartition[] => {
    const file = slotImage(ctx, find(slot), name);
    const first: DiskPartition = { label: `${slot}-a`, type, content: { kind: "file", file, spare: SPARE }, size };
    return both ? [first, { label: `${slot}-b`, type, content: { kind: "like", label: `${slot}-a` } }] : [first];
  });
  return both ? [esp, ...slots] : slots;
}

/** Of an image's size: the next release may be larger. */
const SPARE = 0.5;

function extraPartition(
  ctx: PlanContext,
  { name, label, part, find }: { name: string; label: string; part: DiskSection["partitions"][string]; find: Find },
): DiskPartition {
  const { type, image, size } = part;
  const guid = type.includes("-") && type.length === 36 ? type : typeOf(ctx, type as PartitionType);
  if (image === undefined) return { label, type: guid, content: { kind: "empty" }, size };
  const file = wholeFile(ctx, find(image));
  if (file === undefined)
    throw new BootwrightError("UNSUPPORTED", `partition ${label} of ${name} holds ${image}, which is a directory`, {
      hint: "hold single files: pack a tree as erofs or squashfs",
    });
  return { label, type: guid, content: { kind: "file", file }, size };
}

function dataPartition(ctx: PlanContext, { data }: DiskSection): DiskPartition[] {
  if (data === undefined) return [];
  return [{ label: data.label, type: typeOf(ctx, "linux"), content: { kind: "ext4" }, size: data.size }];
}

const typeOf = (ctx: PlanContext, type: PartitionType): string => partitionType(type, ctx.debianArch);
