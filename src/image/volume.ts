/** How a tree becomes the file system of a partition. */
import { encodeErofs } from "../formats/erofs.ts";
import { encodeExt4 } from "../formats/ext4.ts";
import type { FileTree, ReadContent } from "../formats/filetree.ts";
import type { ImagePiece } from "../formats/sparse-write.ts";
import { LEAST_EXTENT } from "../store/extents-writer.ts";
import { freeRoom } from "./free-room.ts";

/** ext4 can be written to and has a journal; EROFS can not. */
export type VolumeFormat = "ext4" | "erofs";

export interface VolumeOptions {
  readonly fs: VolumeFormat;
  /** The volume's UUID is made from it and the label. */
  readonly seed: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
  /** At most 16 bytes. */
  readonly label: string;
  /** Bytes of an ext4 volume; absent: what the files need, and a quarter more. */
  readonly size?: number | undefined;
  readonly read: ReadContent;
}

export interface Volume {
  /** Bytes. */
  readonly size: number;
  /** The ranges that hold data, in rising order; contents of a size worth it as references. */
  readonly pieces: () => Iterable<ImagePiece>;
}

/** Throws LIMIT_EXCEEDED when the tree does not fit, LIMIT_EXCEEDED and UNSUPPORTED for what the format does not hold. */
export function layOutVolume(tree: FileTree, { fs, seed, size, ...options }: VolumeOptions): Volume {
  const own = { ...options, seed: `${seed} ${options.label}` };
  const volume =
    fs === "erofs"
      ? encodeErofs(tree, own)
      : encodeExt4(tree, { ...own, journal: true, ...(size === undefined ? { free: freeRoom(tree) } : { size }) });
  return { size: volume.size, pieces: () => volume.pieces(LEAST_EXTENT) };
}
