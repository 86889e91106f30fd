/**
 * The 256 bytes of an inode (Documentation/filesystems/ext4/inodes.rst): 128 of ext2, 32 of ext4 (the other halves of
 * times, the creation time, half of the checksum), and room for extended attributes.
 */
import { BootwrightError } from "../base/errors.ts";
import { CRC_START, crc32c, crc32cNumber } from "./crc32c.ts";
import { encodeExtents, INODE_ROOT_SIZE } from "./ext4-extents.ts";
import { EXT4_BLOCK, INODE_SIZE, type Run } from "./ext4-layout.ts";
import type { Ext4Xattrs } from "./ext4-xattr.ts";

/** i_flags. */
export const INDEXED_DIRECTORY = 0x1000;
const HAS_EXTENTS = 0x8_0000;

export const EXTRA_SIZE = 32;
/** Bytes behind the fields. */
export const XATTR_ROOM = INODE_SIZE - 128 - EXTRA_SIZE;
/** A link's target below this stands where the extents would. */
export const INLINE_SYMLINK = INODE_ROOT_SIZE;

export interface Ext4Inode {
  readonly number: number;
  /** Named in errors. */
  readonly path: string;
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch, of all times but the creation's. */
  readonly time: number;
  /** What stands in place of extents: a device's number, a short link's target. */
  readonly inline?: Uint8Array;
  readonly xattrs: Ext4Xattrs;
  links: number;
  flags: number;
  /** Bytes. */
  size: number;
  /** Where its content lies, in order; set when blocks are given out, as are the next two. */
  runs: readonly Run[];
  extentBlocks: readonly number[];
  xattrBlock: number;
}

/** What an inode's own structures (extent blocks, directory blocks) start their checksums with. */
export const inodeSeed = (number: number, seed: number): number => crc32cNumber(crc32cNumber(seed, number), 0);

export const NO_XATTRS: Ext4Xattrs = { inline: undefined, block: undefined };

/** Fills `out`, which is all zeros. `seed`: the volume's checksum seed; `created`: seconds since the epoch. */
export function writeInode(out: Buffer, inode: Ext4Inode, { seed, created }: { seed: number; created: number }): void {
  const own = inodeSeed(inode.number, seed);
  const time = encodeTime(inode.time, inode.path);
  const birth = encodeTime(created, inode.path);
  out.writeUInt16LE(inode.mode, 0x00);
  out.writeUInt16LE(inode.uid & 0xffff, 0x02);
  out.writeUInt32LE(inode.size % 2 ** 32, 0x04);
  for (const at of [0x08, 0x0c, 0x10]) out.writeInt32LE(time.seconds, at); // Access, change, modification.
  out.writeUInt16LE(inode.gid & 0xffff, 0x18);
  out.writeUInt16LE(inode.links, 0x1a);
  const sectors = blocksOf(inode) * (EXT4_BLOCK / 512);
  out.writeUInt32LE(sectors % 2 ** 32, 0x1c);
  out.writeUInt32LE((inode.flags | (inode.inline === undefined ? HAS_EXTENTS : 0)) >>> 0, 0x20);
  out.set(inode.inline ?? encodeExtents(inode.runs, inode.extentBlocks, own).root, 0x28);
  out.writeUInt32LE(inode.xattrBlock, 0x68);
  out.writeUInt32LE(Math.floor(inode.size / 2 ** 32), 0x6c);
  out.writeUInt16LE(Math.floor(sectors / 2 ** 32), 0x74);
  out.writeUInt16LE(inode.uid >>> 16, 0x78);
  out.writeUInt16LE(inode.gid >>> 16, 0x7a);
  out.writeUInt16LE(EXTRA_SIZE, 0x80);
  for (const at of [0x84, 0x88, 0x8c]) out.writeUInt32LE(time.extra, at);
  out.writeInt32LE(birth.seconds, 0x90);
  out.writeUInt32LE(birth.extra, 0x94);
  if (inode.xattrs.inline !== undefined) out.set(inode.xattrs.inline, 128 + EXTRA_SIZE);
  sealInode(out, own);
}

/** `own`: the inode's seed. The fields of the checksum count as zeros, which they are before. */
function sealInode(out: Buffer, own: number): void {
  const crc = crc32c(own, out, 0, INODE_SIZE);
  out.writeUInt16LE(crc & 0xffff, 0x7c);
  out.writeUInt16LE(crc >>> 16, 0x82);
}

/** Blocks that the inode holds, those of its tree and attributes included. */
function blocksOf(inode: Ext4Inode): number {
  let sum = inode.extentBlocks.length + (inode.xattrBlock === 0 ? 0 : 1);
  for (const { count } of inode.runs) sum += count;
  return sum;
}

const LEAST_TIME = -(2 ** 31);
const MOST_TIME = 2 ** 34 - 2 ** 31 - 1;

/** 32 signed bits, two more above them, and nanoseconds (inodes.rst, "Inode Timestamps"). 1901 to 2446. */
export function encodeTime(time: number, path: string): { seconds: number; extra: number } {
  let whole = Math.floor(time);
  let nanoseconds = Math.round((time - whole) * 1e9);
  if (nanoseconds === 1e9) {
    whole++;
    nanoseconds = 0;
  }
  if (!(whole >= LEAST_TIME && whole <= MOST_TIME))
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `ext4: ${path}: time ${time}; the format holds ${LEAST_TIME} to ${MOST_TIME}`,
    );
  const seconds = whole | 0;
  const epoch = (whole - seconds) / 2 ** 32;
  return { seconds, extra: ((nanoseconds << 2) | epoch) >>> 0 };
}

/** The volume's checksum seed. */
export const volumeSeed = (uuid: Uint8Array): number => crc32c(CRC_START, uuid);
