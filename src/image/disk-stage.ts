/** The stage that writes a whole disk in one pass: partition table, EFI system partition, and the partitions behind it. */
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { encodeFat } from "../formats/fat.ts";
import { GPT_ALIGNMENT, planGpt } from "../formats/gpt.ts";
import { partitionType } from "../formats/partition-types.ts";
import type { SparseWrite } from "../formats/sparse-write.ts";
import { seededUuid } from "../formats/uuid.ts";
import { type BlobInput, defineStage, type Stage, type StageContext, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { type DiskPartition, partitionVolume, type Volume } from "./disk-partition.ts";
import type { EfiArchitecture } from "./esp.ts";
import { espFiles } from "./esp-stage.ts";

export interface DiskStageOptions {
  readonly name: string;
  readonly architecture: EfiArchitecture;
  /** What firmware starts, and further files of the EFI system partition. */
  readonly boot: BlobInput;
  readonly files: readonly { readonly path: string; readonly content: BlobInput }[];
  /** Bytes of the EFI system partition. */
  readonly espSize: number;
  /** Its name; default ESP. */
  readonly espLabel?: string | undefined;
  /** Behind the EFI system partition, in this order. */
  readonly partitions: readonly DiskPartition[];
  readonly sectorSize: 512 | 4096;
  /** Bytes of the whole disk; absent: what the partitions need. */
  readonly size?: number | undefined;
  /** All identifiers are made from it. */
  readonly seed: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
}

type DiskInputs = {
  boot: BlobInput;
  files: readonly BlobInput[];
  /** Of the partitions that have one, in order. */
  trees: readonly TreeInput[];
  contents: readonly BlobInput[];
};

/** Throws LIMIT_EXCEEDED when files do not fit their partition, or the partitions the disk. */
export function diskStage(options: DiskStageOptions): Stage<DiskInputs, { image: BlobArtifact }> {
  const { architecture, espSize, partitions, sectorSize, size, seed, epoch } = options;
  return defineStage<DiskInputs, { image: BlobArtifact }>({
    name: options.name,
    kind: "disk-image",
    version: 2,
    inputs: {
      boot: options.boot,
      files: options.files.map((file) => file.content),
      trees: partitions.flatMap(({ content }) => treeInput(content) ?? []),
      contents: partitions.flatMap(({ content }) => (content.kind === "file" ? content.file : [])),
    },
    params: {
      ...(options.espLabel !== undefined && { espLabel: options.espLabel }),
      ...{ architecture, espSize, sectorSize, size: size ?? null, seed, epoch },
      paths: options.files.map((file) => file.path),
      partitions: partitions.map(({ label, type, content, size: own }) => ({
        ...{ label, type, content: content.kind, size: own ?? null },
        ...(content.kind === "file" && content.spare !== undefined && { spare: content.spare }),
        ...(content.kind === "like" && { like: content.label }),
        filled: treeInput(content) !== undefined,
      })),
    },
    outputs: ["image"],
    run: async (ctx) => {
      const reader = ctx.store.reader();
      try {
        const volumes = [espVolume(options, ctx), ...partitionVolumes(options, { ctx, read: reader.read })];
        const gpt = planGpt(
          volumes.map((volume) => volume.partition),
          { diskId: seededUuid(seed, "disk"), sectorSize, ...(size !== undefined && { size }) },
        );
        const writes = function* (): Generator<SparseWrite> {
          yield* gpt.head;
          for (const [i, volume] of volumes.entries())
            for (const { offset, bytes } of volume.writes())
              yield { offset: gpt.partitions[i]!.offset + offset, bytes };
          yield* gpt.tail;
        };
        return { image: blobArtifact(ctx.store.blobs.putSparse(writes(), gpt.size)) };
      } finally {
        reader.close();
      }
    },
  });
}

type Context = StageContext<DiskInputs>;

const treeInput = (content: DiskPartition["content"]): TreeInput | undefined =>
  "tree" in content ? content.tree : undefined;

/** It comes first, so its place on the disk is known before the others are. */
function espVolume(options: DiskStageOptions, { inputs, store }: Context): Volume {
  const { espSize, espLabel = "ESP", sectorSize, seed, epoch } = options;
  const fat = encodeFat(espFiles(options, { inputs, store }), {
    ...{ seed, epoch, label: "ESP", size: espSize, sectorSize },
    hiddenSectors: GPT_ALIGNMENT / sectorSize,
  });
  const type = partitionType("esp", "amd64");
  return {
    partition: { type, id: seededUuid(seed, `partition ${espLabel}`), name: espLabel, size: espSize },
    writes: fat.writes,
  };
}

/** The one that gets the rest is made last, when the others have their sizes. */
function partitionVolumes(
  options: DiskStageOptions,
  { ctx, read }: { ctx: Context; read: Parameters<typeof partitionVolume>[2]["read"] },
): readonly Volume[] {
  const { seed, epoch, partitions } = options;
  const { inputs, store } = ctx;
  const trees = [...inputs.trees];
  const contents = [...inputs.contents];
  const makers = partitions.map((partition) => {
    const tree = treeInput(partition.content) === undefined ? undefined : trees.shift();
    const file = partition.content.kind === "file" ? contents.shift() : undefined;
    return (size: number | undefined) =>
      partitionVolume(partition, size, {
        ...{ seed, epoch, file, store, read },
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
function restOf({ size, espSize }: DiskStageOptions, others: readonly (Volume | undefined)[]): number {
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
