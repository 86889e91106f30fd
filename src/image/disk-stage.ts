/** The stage that lays out a whole disk in one pass: partition table, EFI system partition, and the partitions behind it. */
import { type BlobInput, defineStage, type ExtentsInput, type Stage, type TreeInput } from "../stage/stage.ts";
import type { ExtentsArtifact } from "../store/artifact.ts";
import type { DiskPartition } from "./disk-partition.ts";
import type { EfiArchitecture } from "./esp.ts";

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

export type DiskInputs = {
  boot: BlobInput;
  files: readonly BlobInput[];
  /** Of the partitions that have one, in order. */
  trees: readonly TreeInput[];
  contents: readonly BlobInput[];
  volumes: readonly ExtentsInput[];
};

/** Throws LIMIT_EXCEEDED when files do not fit their partition, or the partitions the disk. */
export function diskStage(options: DiskStageOptions): Stage<DiskInputs, { image: ExtentsArtifact }> {
  const { architecture, espSize, partitions, sectorSize, size, seed, epoch } = options;
  return defineStage<DiskInputs, { image: ExtentsArtifact }>({
    name: options.name,
    kind: "disk-image",
    version: 4,
    inputs: {
      boot: options.boot,
      files: options.files.map((file) => file.content),
      trees: partitions.flatMap(({ content }) => treeInput(content) ?? []),
      contents: partitions.flatMap(({ content }) => (content.kind === "file" ? content.file : [])),
      volumes: partitions.flatMap(({ content }) => (content.kind === "volume" ? content.volume : [])),
    },
    params: {
      ...(options.espLabel !== undefined && { espLabel: options.espLabel }),
      ...{ architecture, espSize, sectorSize, size: size ?? null, seed, epoch },
      paths: options.files.map((file) => file.path),
      partitions: partitions.map(({ label, type, content, size: own }) => ({
        ...{ label, type, content: content.kind, size: own ?? null },
        ...(content.kind === "file" && content.spare !== undefined && { spare: content.spare }),
        ...(content.kind === "volume" && { readonly: content.readonly }),
        ...(content.kind === "like" && { like: content.label }),
        filled: treeInput(content) !== undefined,
      })),
    },
    outputs: ["image"],
    // The file systems are loaded when one is written: an unchanged build needs none of them.
    run: async (ctx) => (await import("./disk-writer.ts")).writeDisk(options, ctx),
  });
}

export const treeInput = (content: DiskPartition["content"]): TreeInput | undefined =>
  "tree" in content ? content.tree : undefined;
