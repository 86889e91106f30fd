/** A partition of a disk: what it is to hold, and from that its size and where its bytes lie. */
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import type { Extent } from "../formats/extents.ts";
import type { FileTree, ReadContent } from "../formats/filetree.ts";
import { GPT_ALIGNMENT, type NewPartition } from "../formats/gpt.ts";
import type { ImagePiece } from "../formats/sparse-write.ts";
import { seededUuid } from "../formats/uuid.ts";
import type { BlobInput, ExtentsInput, TreeInput } from "../stage/stage.ts";
import type { BlobArtifact, ExtentsArtifact } from "../store/artifact.ts";
import { layOutVolume } from "./volume.ts";

export type PartitionContent =
  /** A file system that can be written to, as large as the disk lets it be; without a tree it is empty. */
  | { readonly kind: "ext4"; readonly tree?: TreeInput | undefined }
  /** A file system that a stage of its own has laid out (volume-stage.ts). */
  | { readonly kind: "volume"; readonly volume: ExtentsInput; readonly readonly: boolean }
  /** The bytes of a file, from the partition's start. `spare`: room for a larger one, as a share of its size. */
  | { readonly kind: "file"; readonly file: BlobInput; readonly spare?: number }
  /** Empty, and as large as another partition. */
  | { readonly kind: "like"; readonly label: string }
  /** Room for what comes later: another version, a hash tree. */
  | { readonly kind: "empty" };

export interface DiskPartition {
  /** Name of the partition, and label of a file system that is made for it. */
  readonly label: string;
  /** GUID of what it is for. */
  readonly type: string;
  readonly content: PartitionContent;
  /** Bytes; absent: what the content needs, and of what can be written to a quarter more. */
  readonly size?: number | "rest" | undefined;
}

/** A partition's content: its size, and the ranges that hold data, in rising order. */
export interface FilledPartition {
  readonly partition: NewPartition;
  readonly pieces: () => Iterable<ImagePiece>;
  /** In place of pieces, where a stage has made extents of them already. */
  readonly extents?: readonly Extent[];
}

export interface PartitionOptions {
  readonly seed: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
  readonly tree: FileTree | undefined;
  readonly file: BlobArtifact | undefined;
  readonly volume: ExtentsArtifact | undefined;
  readonly read: ReadContent;
  readonly extentsOf: (volume: ExtentsArtifact) => readonly Extent[];
}

/** `size`: bytes, "rest" worked out. Throws LIMIT_EXCEEDED when the content needs more. */
export function fillPartition(
  { label, type, content }: DiskPartition,
  size: number | undefined,
  options: PartitionOptions,
): FilledPartition {
  const { seed, epoch, tree = EMPTY, file, volume, read, extentsOf } = options;
  const place = { type, id: seededUuid(seed, `partition ${label}`), name: label };
  switch (content.kind) {
    case "ext4": {
      const { size: whole, pieces } = layOutVolume(tree, { fs: "ext4", seed, epoch, label, size, read });
      return { partition: { ...place, size: whole }, pieces };
    }
    case "volume": {
      const { length } = volume!;
      const partition = { ...place, size: atLeast(length, { size, label }), readonly: content.readonly };
      return { partition, pieces: () => [], extents: extentsOf(volume!) };
    }
    case "file": {
      const room =
        size ?? alignUp(file!.size * (1 + (content.spare ?? 0)), content.spare === undefined ? 1 : GPT_ALIGNMENT);
      const partition = { ...place, size: atLeast(file!.size, { size: room, label }), readonly: true };
      return { partition, pieces: () => wholeContent(file!) };
    }
    default:
      return { partition: { ...place, size: size ?? 0 }, pieces: () => [] };
  }
}

const EMPTY: FileTree = [{ type: "directory", path: "", mode: 0o755, uid: 0, gid: 0 }];

function atLeast(needed: number, { size = needed, label }: { size?: number | undefined; label: string }): number {
  if (size < needed)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `the content of partition "${label}" needs ${needed} bytes (${formatSize(needed)}); it has ${size}`,
      { hint: "give the partition a larger size, or none: then the size follows the content" },
    );
  return size;
}

const wholeContent = ({ hash, size }: BlobArtifact): readonly ImagePiece[] =>
  size === 0 ? [] : [{ offset: 0, content: { hash, size }, from: 0, length: size }];
