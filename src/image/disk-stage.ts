/** The stage that lays out a whole disk in one pass: partition table, EFI system partition, and what comes behind. */
import { encodeFat } from "../formats/fat.ts";
import { type NewPartition, PARTITION_TYPES, planGpt } from "../formats/gpt.ts";
import type { SparseWrite } from "../formats/sparse-write.ts";
import { seededUuid } from "../formats/uuid.ts";
import { type BlobInput, defineStage, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
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
  readonly sectorSize: 512 | 4096;
  /** Bytes of the whole disk; absent: what the partitions need. */
  readonly size?: number | undefined;
  /** All identifiers are made from it. */
  readonly seed: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
}

type DiskInputs = { boot: BlobInput; files: readonly BlobInput[] };

/** Throws LIMIT_EXCEEDED when the files do not fit their partition, or the partitions the disk. */
export function diskStage(options: DiskStageOptions): Stage<DiskInputs, { image: BlobArtifact }> {
  const { architecture, espSize, sectorSize, size, seed, epoch } = options;
  return defineStage<DiskInputs, { image: BlobArtifact }>({
    name: options.name,
    kind: "disk-image",
    version: 1,
    inputs: { boot: options.boot, files: options.files.map((file) => file.content) },
    params: {
      architecture,
      paths: options.files.map((file) => file.path),
      espSize,
      sectorSize,
      size: size ?? null,
      seed,
      epoch,
    },
    outputs: ["image"],
    run: async ({ inputs, store }) => {
      const id = (name: string) => seededUuid(seed, `partition ${name}`);
      const partitions: NewPartition[] = [{ type: PARTITION_TYPES.esp, id: id("ESP"), name: "ESP", size: espSize }];
      const gpt = planGpt(partitions, {
        diskId: seededUuid(seed, "disk"),
        sectorSize,
        ...(size !== undefined && { size }),
      });
      const [esp] = gpt.partitions;
      const fat = encodeFat(espFiles(options, { inputs, store }), {
        seed,
        epoch,
        label: "ESP",
        size: esp!.size,
        sectorSize,
        hiddenSectors: esp!.offset / sectorSize,
      });
      const writes = function* (): Generator<SparseWrite> {
        yield* gpt.head;
        for (const { offset, bytes } of fat.writes()) yield { offset: esp!.offset + offset, bytes };
        yield* gpt.tail;
      };
      return { image: blobArtifact(store.blobs.putSparse(writes(), gpt.size)) };
    },
  });
}
