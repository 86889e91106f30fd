/** The stage that writes a whole disk in one pass: partition table, EFI system partition, root and data file systems. */
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { encodeExt4 } from "../formats/ext4.ts";
import { encodeFat } from "../formats/fat.ts";
import type { FileTree, ReadContent } from "../formats/filetree.ts";
import { GPT_ALIGNMENT, type NewPartition, PARTITION_TYPES, planGpt } from "../formats/gpt.ts";
import type { SparseWrite } from "../formats/sparse-write.ts";
import { seededUuid } from "../formats/uuid.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import type { EfiArchitecture } from "./esp.ts";
import { espFiles } from "./esp-stage.ts";

export interface DiskPartition {
  /** File system label and partition name. */
  readonly label: string;
  /** Bytes; absent: what the files need, and a quarter more. */
  readonly size?: number | "rest" | undefined;
}

export interface DiskStageOptions {
  readonly name: string;
  readonly architecture: EfiArchitecture;
  /** What firmware starts, and further files of the EFI system partition. */
  readonly boot: BlobInput;
  readonly files: readonly { readonly path: string; readonly content: BlobInput }[];
  /** Bytes of the EFI system partition. */
  readonly espSize: number;
  readonly root?: (DiskPartition & { readonly tree: TreeInput }) | undefined;
  readonly data?: DiskPartition | undefined;
  readonly sectorSize: 512 | 4096;
  /** Bytes of the whole disk; absent: what the partitions need. */
  readonly size?: number | undefined;
  /** All identifiers are made from it. */
  readonly seed: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
}

type DiskInputs = { boot: BlobInput; files: readonly BlobInput[]; root: TreeInput | undefined };

/** A partition's content: its size, and the ranges that hold data. */
interface Volume {
  readonly partition: NewPartition;
  readonly writes: () => Iterable<SparseWrite>;
}

/** Throws LIMIT_EXCEEDED when files do not fit their partition, or the partitions the disk. */
export function diskStage(options: DiskStageOptions): Stage<DiskInputs, { image: BlobArtifact }> {
  const { architecture, espSize, sectorSize, size, seed, epoch } = options;
  const describe = (partition: DiskPartition | undefined) =>
    partition === undefined ? null : { label: partition.label, size: partition.size ?? null };
  return defineStage<DiskInputs, { image: BlobArtifact }>({
    name: options.name,
    kind: "disk-image",
    version: 1,
    inputs: { boot: options.boot, files: options.files.map((file) => file.content), root: options.root?.tree },
    params: {
      ...{
        architecture,
        paths: options.files.map((file) => file.path),
        espSize,
        sectorSize,
        size: size ?? null,
        seed,
        epoch,
      },
      ...{ root: describe(options.root), data: describe(options.data) },
    },
    outputs: ["image"],
    run: async ({ inputs, store }) => {
      const esp = espVolume(options, (hiddenSectors) =>
        encodeFat(espFiles(options, { inputs, store }), {
          seed,
          epoch,
          label: "ESP",
          size: espSize,
          sectorSize,
          hiddenSectors,
        }),
      );
      const fixed = [esp];
      const volumes = [esp];
      const add = (partition: DiskPartition | undefined, { tree, type }: { tree: FileTree; type: string }) => {
        if (partition === undefined) return;
        const rest =
          partition.size === "rest" ? restOf(options, fixed, partitionsAfter(options, partition)) : partition.size;
        const volume = ext4Volume(options, { partition, tree, type, read: reader.read, size: rest });
        fixed.push(volume);
        volumes.push(volume);
      };
      const reader = store.reader();
      try {
        const rootType = architecture === "arm64" ? PARTITION_TYPES["root-arm64"] : PARTITION_TYPES["root-amd64"];
        add(options.root, { tree: inputs.root === undefined ? [] : store.getTree(inputs.root), type: rootType });
        add(options.data, {
          tree: [{ type: "directory", path: "", mode: 0o755, uid: 0, gid: 0 }],
          type: PARTITION_TYPES.linux,
        });
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
        return { image: blobArtifact(store.blobs.putSparse(writes(), gpt.size)) };
      } finally {
        reader.close();
      }
    },
  });
}

/** It comes first, so its place on the disk is known before the others are. */
function espVolume(
  { espSize, sectorSize, seed }: DiskStageOptions,
  make: (hiddenSectors: number) => { writes: () => Iterable<SparseWrite> },
): Volume {
  const fat = make(GPT_ALIGNMENT / sectorSize);
  return {
    partition: { type: PARTITION_TYPES.esp, id: seededUuid(seed, "partition ESP"), name: "ESP", size: espSize },
    writes: fat.writes,
  };
}

function ext4Volume(
  { seed, epoch }: DiskStageOptions,
  {
    partition,
    tree,
    type,
    read,
    size,
  }: { partition: DiskPartition; tree: FileTree; type: string; read: ReadContent; size: number | undefined },
): Volume {
  const { label } = partition;
  const content = tree.reduce((sum, entry) => sum + (entry.type === "file" ? entry.content.size : 0), 0);
  const room = size === undefined ? { free: Math.ceil(content / 4) } : { size };
  const volume = encodeExt4(tree, { read, seed: `${seed} ${label}`, epoch, label, journal: true, ...room });
  return {
    partition: { type, id: seededUuid(seed, `partition ${label}`), name: label, size: volume.size },
    writes: volume.writes,
  };
}

function partitionsAfter({ root, data }: DiskStageOptions, partition: DiskPartition): readonly DiskPartition[] {
  return partition === root && data !== undefined ? [data] : [];
}

/** What the disk has left when the partitions before and after have theirs. */
function restOf({ size }: DiskStageOptions, before: readonly Volume[], after: readonly DiskPartition[]): number {
  if (size === undefined) throw new Error('"rest" without the size of a disk');
  const taken = before.reduce((sum, volume) => sum + alignUp(volume.partition.size, GPT_ALIGNMENT), 2 * GPT_ALIGNMENT);
  const later = after.reduce(
    (sum, partition) => sum + alignUp(typeof partition.size === "number" ? partition.size : EMPTY_SIZE, GPT_ALIGNMENT),
    0,
  );
  const rest = Math.floor((size - taken - later) / GPT_ALIGNMENT) * GPT_ALIGNMENT;
  if (rest < GPT_ALIGNMENT)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `the disk of ${size} bytes leaves nothing for the partition that takes the rest`,
      { hint: "make the disk larger" },
    );
  return rest;
}

/** An empty ext4 of unsaid size is no larger. */
const EMPTY_SIZE = 32 * 1024 * 1024;
