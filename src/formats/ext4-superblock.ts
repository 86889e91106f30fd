/**
 * The superblock and the group descriptors (Documentation/filesystems/ext4/super.rst, group_descr.rst). Both are written
 * again at the start of each backup group.
 */
import { CRC_START, crc32c, crc32cNumber } from "./crc32c.ts";
import { EXTRA_SIZE, encodeTime } from "./ext4-inode.ts";
import {
  BLOCKS_PER_GROUP,
  DESCRIPTOR_SIZE,
  EXT4_BLOCK,
  type Ext4Group,
  type Ext4Layout,
  INODE_SIZE,
  LOG_GROUPS_PER_FLEX,
} from "./ext4-layout.ts";

export const SUPERBLOCK_SIZE = 1024;
/** In the first group; copies stand at the start of theirs. */
export const SUPERBLOCK_AT = 1024;
export const FIRST_INODE = 11;
export const JOURNAL_INODE = 8;

const HAS_JOURNAL = 0x4;
/** ext_attr, dir_index. */
const COMPATIBLE = 0x8 | 0x20;
/** filetype, extent, 64bit, flex_bg. */
const INCOMPATIBLE = 0x2 | 0x40 | 0x80 | 0x200;
/** sparse_super, large_file, huge_file, dir_nlink, extra_isize, metadata_csum. */
const READ_ONLY_COMPATIBLE = 0x1 | 0x2 | 0x8 | 0x20 | 0x40 | 0x400;
/** user_xattr and acl, as mke2fs sets them. */
const MOUNT_OPTIONS = 0x4 | 0x8;
const UNSIGNED_NAME_HASH = 0x2;
const INODES_ZEROED = 0x4;
const INODES_UNUSED = 0x1;
const BLOCKS_UNUSED = 0x2;

export interface Ext4Super {
  readonly layout: Ext4Layout;
  readonly uuid: Uint8Array;
  readonly hashSeed: Uint32Array;
  readonly label: Uint8Array;
  /** Seconds since the epoch. */
  readonly epoch: number;
  readonly freeBlocks: number;
  readonly freeInodes: number;
  /** The journal's `i_block` and size, kept here for e2fsck. */
  readonly journal: { readonly root: Buffer; readonly size: number } | undefined;
}

export function encodeSuperblock(volume: Ext4Super, group: number): Buffer {
  const { layout, journal } = volume;
  const out = Buffer.alloc(SUPERBLOCK_SIZE);
  const time = encodeTime(volume.epoch, "epoch");
  const high = Math.floor(volume.epoch / 2 ** 32) & 0xff;
  out.writeUInt32LE(layout.inodesPerGroup * layout.groups.length, 0x00);
  out.writeUInt32LE(layout.blocks, 0x04);
  // No blocks reserved to root (0x08): `free` is what a user gets.
  out.writeUInt32LE(volume.freeBlocks, 0x0c);
  out.writeUInt32LE(volume.freeInodes, 0x10);
  out.writeUInt32LE(2, 0x18); // Blocks are 1024 << 2,
  out.writeUInt32LE(2, 0x1c); // and so are clusters.
  out.writeUInt32LE(BLOCKS_PER_GROUP, 0x20);
  out.writeUInt32LE(BLOCKS_PER_GROUP, 0x24);
  out.writeUInt32LE(layout.inodesPerGroup, 0x28);
  out.writeInt32LE(time.seconds, 0x30); // Last write; never mounted (0x2c).
  out.writeInt16LE(-1, 0x36); // No check after any number of mounts,
  out.writeUInt16LE(0xef53, 0x38);
  out.writeUInt16LE(1, 0x3a); // Clean.
  out.writeUInt16LE(1, 0x3c); // On errors go on, as mke2fs has it.
  out.writeInt32LE(time.seconds, 0x40); // Last check; none after any time (0x44).
  out.writeUInt32LE(1, 0x4c); // Revision with features.
  out.writeUInt32LE(FIRST_INODE, 0x54);
  out.writeUInt16LE(INODE_SIZE, 0x58);
  out.writeUInt16LE(group, 0x5a);
  out.writeUInt32LE(COMPATIBLE | (journal === undefined ? 0 : HAS_JOURNAL), 0x5c);
  out.writeUInt32LE(INCOMPATIBLE, 0x60);
  out.writeUInt32LE(READ_ONLY_COMPATIBLE, 0x64);
  out.set(volume.uuid, 0x68);
  out.set(volume.label, 0x78);
  for (const [i, word] of volume.hashSeed.entries()) out.writeUInt32LE(word, 0xec + 4 * i);
  out[0xfc] = 1; // New directories hash with half MD4.
  out.writeUInt16LE(DESCRIPTOR_SIZE, 0xfe);
  out.writeUInt32LE(MOUNT_OPTIONS, 0x100);
  out.writeInt32LE(time.seconds, 0x108); // Made.
  if (journal !== undefined) {
    out.writeUInt32LE(JOURNAL_INODE, 0xe0);
    out[0xfd] = 1; // The next is a copy of the journal's inode.
    out.set(journal.root, 0x10c);
    out.writeUInt32LE(Math.floor(journal.size / 2 ** 32), 0x10c + 60);
    out.writeUInt32LE(journal.size % 2 ** 32, 0x10c + 64);
  }
  out.writeUInt16LE(EXTRA_SIZE, 0x15c);
  out.writeUInt16LE(EXTRA_SIZE, 0x15e);
  out.writeUInt32LE(UNSIGNED_NAME_HASH, 0x160);
  out[0x174] = LOG_GROUPS_PER_FLEX;
  out[0x175] = 1; // Checksums are CRC-32C.
  for (const at of [0x274, 0x276, 0x277]) out[at] = high; // Upper bits of last write, made, last check.
  out.writeUInt32LE(crc32c(CRC_START, out, 0, 0x3fc), 0x3fc);
  return out;
}

export interface GroupState {
  readonly group: Ext4Group;
  readonly blockBitmap: Buffer;
  readonly inodeBitmap: Buffer;
  readonly freeBlocks: number;
  readonly usedInodes: number;
  readonly directories: number;
  /** Nothing but its own backup is in it: the bitmap follows from the layout and is not written. */
  readonly untouched: boolean;
}

/** Fills the group's place among the descriptors. `seed`: the volume's checksum seed. */
export function writeDescriptor(out: Buffer, state: GroupState, volume: { layout: Ext4Layout; seed: number }): void {
  const { group } = state;
  const { inodesPerGroup } = volume.layout;
  const freeInodes = inodesPerGroup - state.usedInodes;
  const flags = INODES_ZEROED | (state.usedInodes === 0 ? INODES_UNUSED : 0) | (state.untouched ? BLOCKS_UNUSED : 0);
  const blockCrc = state.untouched ? 0 : crc32c(volume.seed, state.blockBitmap);
  const inodeCrc = state.usedInodes === 0 ? 0 : crc32c(volume.seed, state.inodeBitmap, 0, inodesPerGroup / 8);
  out.writeUInt32LE(group.blockBitmap, 0x00);
  out.writeUInt32LE(group.inodeBitmap, 0x04);
  out.writeUInt32LE(group.inodeTable, 0x08);
  out.writeUInt16LE(state.freeBlocks, 0x0c);
  out.writeUInt16LE(freeInodes, 0x0e);
  out.writeUInt16LE(state.directories, 0x10);
  out.writeUInt16LE(flags, 0x12);
  out.writeUInt16LE(blockCrc & 0xffff, 0x18);
  out.writeUInt16LE(inodeCrc & 0xffff, 0x1a);
  out.writeUInt16LE(freeInodes, 0x1c); // All free inodes are at the table's end.
  out.writeUInt16LE(blockCrc >>> 16, 0x38);
  out.writeUInt16LE(inodeCrc >>> 16, 0x3a);
  const crc = crc32c(crc32cNumber(volume.seed, group.number), out, 0, DESCRIPTOR_SIZE);
  out.writeUInt16LE(crc & 0xffff, 0x1e);
}

/** Sets `count` bits from `from` on. */
export function setBits(bitmap: Buffer, from: number, count: number): void {
  const end = from + count;
  let at = from;
  for (; at < end && at % 8 !== 0; at++) bitmap[at >> 3]! |= 1 << (at & 7);
  const whole = end - (end % 8);
  if (at < whole) {
    bitmap.fill(0xff, at / 8, whole / 8);
    at = whole;
  }
  for (; at < end; at++) bitmap[at >> 3]! |= 1 << (at & 7);
}

export const newBitmap = (): Buffer => Buffer.alloc(EXT4_BLOCK);
