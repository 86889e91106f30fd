/**
 * Writes an ext4 volume in one pass (Documentation/filesystems/ext4): the same tree gives the same bytes. Everything is
 * placed before the first byte is written; then metadata and contents leave in rising order, each content read once.
 * Free space and zeros stay holes, so a volume of any size costs what its files cost.
 */
import { bytesFromPath } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { type Ext4Inode, volumeSeed } from "./ext4-inode.ts";
import { EXT4_BLOCK, type Ext4Layout, planLayout } from "./ext4-layout.ts";
import { journalInode, type Placement, placeInodes } from "./ext4-placement.ts";
import { type Ext4Plan, planInodes } from "./ext4-plan.ts";
import { FIRST_INODE } from "./ext4-superblock.ts";
import { type Ext4Volume, writeVolume } from "./ext4-volume.ts";
import type { FileTree, ReadContent } from "./filetree.ts";
import { bytesOnly, type ImagePiece, type SparseWrite } from "./sparse-write.ts";

export interface Ext4Options {
  readonly read: ReadContent;
  /** The volume's UUID and the seed of its name hashes are made from it. */
  readonly seed: string;
  /** Seconds since the epoch: when the volume was made, and the time of entries without their own. */
  readonly epoch: number;
  /** Bytes; absent: the least that holds the tree and `free`. */
  readonly size?: number;
  /** Bytes that must be left free; default 0. */
  readonly free?: number;
  /** At most 16 bytes. */
  readonly label?: string;
  /** Default false: an image that is only read, or made again rather than repaired, needs none. */
  readonly journal?: boolean;
  /** The one size that every kernel mounts whatever its page size. */
  readonly blockSize?: 4096;
}

export interface Ext4Image {
  /** Bytes. */
  readonly size: number;
  /** As `root=UUID=` takes it. */
  readonly uuid: string;
  /**
   * The ranges that hold data, in rising order; any number of times. The bytes of each are good until the next is taken:
   * their buffer is used again, which keeps memory flat.
   */
  readonly writes: () => Generator<SparseWrite>;
  /** The same, with contents of at least `refer` bytes as references. */
  readonly pieces: (refer: number) => Generator<ImagePiece>;
}

/**
 * Throws LIMIT_EXCEEDED (a tree that does not fit into `size`, and what ext4's fields do not hold: names, link counts,
 * owners, times, device numbers, attributes), UNSUPPORTED (attribute names), TREE_CONFLICT (a `lost+found` that is no
 * directory), and plain Errors for a tree that is none (no root, a missing parent, not sorted) and, while writing, when
 * `read` does not deliver its size.
 */
export function encodeExt4(tree: FileTree, options: Ext4Options): Ext4Image {
  const uuid = uuidFrom(options.seed);
  const hashSeed = hashSeedFrom(options.seed);
  const label = labelBytes(options.label ?? "");
  if (!(Number.isSafeInteger(options.epoch) && options.epoch >= 0)) throw new Error(`ext4: epoch ${options.epoch}`);
  const plan = planInodes(tree, { hashSeed, epoch: options.epoch });
  const journal = options.journal === true ? journalInode(options.epoch) : undefined;
  const free = Math.ceil((options.free ?? 0) / EXT4_BLOCK);
  const { layout, placed } =
    options.size === undefined ? fitted(plan, { free, journal }) : sized(plan, { free, journal, size: options.size });
  const { read, epoch } = options;
  const volume: Ext4Volume = { plan, layout, placed, journal, uuid, hashSeed, label, epoch, seed: volumeSeed(uuid) };
  return {
    size: options.size ?? layout.blocks * EXT4_BLOCK,
    uuid: uuid.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"),
    writes: () => bytesOnly(writeVolume(volume, { read, refer: Number.POSITIVE_INFINITY })),
    pieces: (refer) => writeVolume(volume, { read, refer }),
  };
}

interface Room {
  /** Blocks. */
  readonly free: number;
  readonly journal: Ext4Inode | undefined;
}

interface Fit {
  readonly layout: Ext4Layout;
  readonly placed: Placement;
}

/** Grows from below by what is missing, so the first that fits is the least. */
function fitted(plan: Ext4Plan, { free, journal }: Room): Fit {
  for (let blocks = 1 + free; ; ) {
    const layout = planLayout({ blocks, inodes: inodesOf(plan), grow: true })!;
    const placed = placeInodes(plan, layout, journal);
    const missing = placed.used + free - layout.available;
    if (missing <= 0) return { layout, placed };
    blocks = layout.blocks + missing;
  }
}

function sized(plan: Ext4Plan, { size, ...room }: Room & { size: number }): Fit {
  const layout = planLayout({ blocks: Math.floor(size / EXT4_BLOCK), inodes: inodesOf(plan), grow: false });
  if (layout !== undefined) {
    const placed = placeInodes(plan, layout, room.journal);
    if (placed.used + room.free <= layout.available) return { layout, placed };
  }
  const needed = fitted(plan, room).layout.blocks * EXT4_BLOCK;
  throw new BootwrightError(
    "LIMIT_EXCEEDED",
    `ext4: the tree needs a volume of ${needed} bytes (${formatSize(needed)}); ${size} were given`,
    { hint: "give the volume a larger size, or none: then the size follows the files" },
  );
}

const inodesOf = (plan: Ext4Plan): number => FIRST_INODE - 1 + plan.inodes.length;

/** Version 8: the bits are the maker's own (RFC 9562). */
function uuidFrom(seed: string): Buffer {
  const uuid = Buffer.from(digestOf(`ext4 uuid ${seed}`).hash, "hex").subarray(0, 16);
  uuid[6] = (uuid[6]! & 0x0f) | 0x80;
  uuid[8] = (uuid[8]! & 0x3f) | 0x80;
  return uuid;
}

function hashSeedFrom(seed: string): Uint32Array {
  const bytes = Buffer.from(digestOf(`ext4 name hash ${seed}`).hash, "hex");
  return Uint32Array.from({ length: 4 }, (_, i) => bytes.readUInt32LE(4 * i));
}

function labelBytes(label: string): Buffer {
  const bytes = bytesFromPath(label);
  if (bytes.length > 16 || bytes.includes(0))
    throw new BootwrightError("LIMIT_EXCEEDED", `ext4: label "${label}"; at most 16 bytes, no NUL`);
  return bytes;
}
