/** Lays out a whole disk in one pass: partition table, EFI system partition, and the partitions behind it. */
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { encodeFat } from "../formats/fat.ts";
import { GPT_ALIGNMENT, planGpt } from "../formats/gpt.ts";
import { partitionType } from "../formats/partition-types.ts";
import { seededUuid } from "../formats/uuid.ts";
import type { StageContext } from "../stage/stage.ts";
import type { ExtentsArtifact } from "../store/artifact.ts";
import { ExtentsWriter, LEAST_EXTENT } from "../store/extents-writer.ts";
import { type FilledPartition, fillPartition } from "./disk-partition.ts";
import { type DiskInputs, type DiskStageOptions, treeInput } from "./disk-stage.ts";
import { espFiles } from "./esp-stage.ts";

/** Throws LIMIT_EXCEEDED when files do not fit their partition, or the partitions the disk. */
export function writeDisk(options: DiskStageOptions, ctx: Context): { image: ExtentsArtifact } {
  const { sectorSize, size, seed } = options;
  const reader = ctx.store.reader({ reuse: true });
  try {
    const volumes = [espVolume(options, ctx), ...partitionVolumes(options, { ctx, read: reader.read })];
    const gpt = planGpt(
      volumes.map((volume) => volume.partition),
      { diskId: seededUuid(seed, "disk"), sectorSize, ...(size !== undefined && { size }) },
    );
    const image = new ExtentsWriter(ctx.store);
    image.add([...gpt.head, ...gpt.tail], 0);
    for (const [i, { pieces, extents = [] }] of volumes.entries()) {
      const { offset } = gpt.partitions[i]!;
      image.add(pieces(), offset);
      image.addExtents(extents, offset);
    }
    return { image: image.done(gpt.size) };
  } finally {
    reader.close();
  }
}

type Context = StageContext<DiskInputs>;

/** It comes first, so its place on the disk is known before the others are. */
function espVolume(options: DiskStageOptions, { inputs, store }: Context): FilledPartition {
  const { espSize, espLabel = "ESP", sectorSize, seed, epoch } = options;
  const fat = encodeFat(espFiles(options, { inputs, store }), {
    ...{ seed, epoch, label: "ESP", size: espSize, sectorSize },
    hiddenSectors: GPT_ALIGNMENT / sectorSize,
  });
  const type = partitionType("esp", "amd64");
  return {
    partition: { type, id: seededUuid(seed, `partition ${espLabel}`), name: espLabel, size: espSize },
    pieces: () => fat.pieces(LEAST_EXTENT),
  };
}

/** The one that gets the rest is made last, when the others have their sizes. */
function partitionVolumes(
  options: DiskStageOptions,
  { ctx, read }: { ctx: Context; read: Parameters<typeof fillPartition>[2]["read"] },
): readonly FilledPartition[] {
  const { seed, epoch, partitions } = options;
  const { inputs, store } = ctx;
  const extentsOf = (volume: ExtentsArtifact) => store.getExtents(volume).extents;
  const trees = [...inputs.trees];
  const contents = [...inputs.contents];
  const laidOut = [...inputs.volumes];
  const makers = partitions.map((partition) => {
    const tree = treeInput(partition.content) === undefined ? undefined : trees.shift();
    const file = partition.content.kind === "file" ? contents.shift() : undefined;
    const volume = partition.content.kind === "volume" ? laidOut.shift() : undefined;
    return (size: number | undefined) =>
      fillPartition(partition, size, {
        ...{ seed, epoch, file, volume, read, extentsOf },
        tree: tree === undefined ? undefined : store.getTree(tree),
      });
  });
  const volumes = makers.map((make, i) => {
    const { size, content } = partitions[i]!;
    return size === "rest" || content.kind === "like" ? undefined : make(size);
  });
  for (const [i, { content }] of partitions.entries()) {
    if (content.kind !== "like") continue;
    const at = partitions.findIndex(({ label }) => label === content.label);
    volumes[i] = makers[i]!(volumes[at]!.partition.size);
  }
  return volumes.map((volume, i) => volume ?? makers[i]!(restOf(options, volumes)));
}

/** What the disk has left when the other partitions have theirs. */
function restOf({ size, espSize }: DiskStageOptions, others: readonly (FilledPartition | undefined)[]): number {
  if (size === undefined) throw new Error('"rest" without the size of a disk');
  const sizes = [espSize, ...others.flatMap((volume) => volume?.partition.size ?? [])];
  const taken = sizes.reduce((sum, one) => sum + alignUp(one, GPT_ALIGNMENT), 2 * GPT_ALIGNMENT);
  const rest = Math.floor((size - taken) / GPT_ALIGNMENT) * GPT_ALIGNMENT;
  if (rest < GPT_ALIGNMENT)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `the disk of ${size} bytes leaves nothing for the partition that takes the rest`,
      { hint: "make the disk larger" },
    );
  return rest;
}
