/**
 * Where the fixed structures of an ext4 volume lie (Documentation/filesystems/ext4/blockgroup.rst). Blocks are 4096 bytes,
 * groups 32,768 blocks. With flex_bg the bitmaps and inode tables of 16 groups stand together in the first of them, so
 * that data between is contiguous; only the backup superblocks (sparse_super) cut it.
 */
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";

export const EXT4_BLOCK = 4096;
export const BLOCKS_PER_GROUP = 8 * EXT4_BLOCK;
export const INODE_SIZE = 256;
export const INODES_PER_BLOCK = EXT4_BLOCK / INODE_SIZE;
export const DESCRIPTOR_SIZE = 64;
export const LOG_GROUPS_PER_FLEX = 4;
const GROUPS_PER_FLEX = 2 ** LOG_GROUPS_PER_FLEX;
/** A group's inode bitmap is one block. */
const MAX_INODES_PER_GROUP = 8 * EXT4_BLOCK;
/** One inode for 16 KiB, mke2fs's ratio. A volume that is grown later gets as many for each new group as it has in one. */
const BLOCKS_PER_INODE = 4;
/** A last group that holds no more data than this is not worth its overhead; mke2fs leaves it away, too. */
const LEAST_DATA = 50;
/** 16 TiB: block numbers stay below 2^32, so the upper halves of all block fields are zero. */
const MAX_BLOCKS = 2 ** 32 - 1;

/** Blocks one after the other. */
export interface Run {
  readonly start: number;
  readonly count: number;
}

export interface Ext4Group {
  readonly number: number;
  /** Its first block and how many it has. */
  readonly start: number;
  readonly blocks: number;
  readonly backup: boolean;
  readonly blockBitmap: number;
  readonly inodeBitmap: number;
  readonly inodeTable: number;
}

export interface Ext4Layout {
  /** Of the file system; a tail that makes no group is left over. */
  readonly blocks: number;
  readonly groups: readonly Ext4Group[];
  readonly inodesPerGroup: number;
  /** Blocks of one inode table, and of one copy of the group descriptors. */
  readonly tableBlocks: number;
  readonly descriptorBlocks: number;
  /** All fixed structures, rising, neighbours merged. */
  readonly reserved: readonly Run[];
  /** Blocks that `reserved` leaves. */
  readonly available: number;
}

export interface LayoutNeeds {
  readonly blocks: number;
  readonly inodes: number;
  /** Take more blocks when these make no whole layout; else fewer, and undefined when that cannot be. */
  readonly grow: boolean;
}

export function planLayout(needs: LayoutNeeds): Ext4Layout | undefined {
  const sizes = planSizes(needs);
  if (sizes === undefined) return undefined;
  const { blocks, count, descriptorBlocks, inodesPerGroup } = sizes;
  const tableBlocks = inodesPerGroup / INODES_PER_BLOCK;
  const backups: Run[] = [];
  for (let group = 0; group < count; group++)
    if (hasBackup(group)) backups.push({ start: group * BLOCKS_PER_GROUP, count: 1 + descriptorBlocks });
  const groups: Ext4Group[] = [];
  const fixed = [...backups];
  for (let first = 0; first < count; first += GROUPS_PER_FLEX) {
    const many = Math.min(GROUPS_PER_FLEX, count - first);
    const place = placer(first * BLOCKS_PER_GROUP, backups, fixed);
    const blockBitmaps = place(many);
    const inodeBitmaps = place(many);
    for (let i = 0; i < many; i++) {
      const start = (first + i) * BLOCKS_PER_GROUP;
      groups.push({
        number: first + i,
        start,
        blocks: Math.min(BLOCKS_PER_GROUP, blocks - start),
        backup: hasBackup(first + i),
        blockBitmap: blockBitmaps + i,
        inodeBitmap: inodeBitmaps + i,
        inodeTable: place(tableBlocks),
      });
    }
  }
  const reserved = merged(fixed);
  const taken = reserved.reduce((sum, run) => sum + run.count, 0);
  return { blocks, groups, inodesPerGroup, tableBlocks, descriptorBlocks, reserved, available: blocks - taken };
}

/** sparse_super: copies of superblock and descriptors are in groups 0, 1 and the powers of 3, 5 and 7. */
export function hasBackup(group: number): boolean {
  if (group <= 1) return true;
  return [3, 5, 7].some((base) => {
    let power = base;
    while (power < group) power *= base;
    return power === group;
  });
}

function planSizes({ blocks: wanted, inodes, grow }: LayoutNeeds) {
  for (let blocks = wanted; ; ) {
    if (blocks > MAX_BLOCKS)
      throw new BootwrightError(
        "LIMIT_EXCEEDED",
        `ext4: a volume of ${blocks * EXT4_BLOCK} bytes; with 4096-byte blocks it holds at most 16 TiB`,
      );
    const count = Math.ceil(blocks / BLOCKS_PER_GROUP);
    const descriptorBlocks = Math.ceil((count * DESCRIPTOR_SIZE) / EXT4_BLOCK);
    const total = Math.max(inodes, Math.floor(blocks / BLOCKS_PER_INODE));
    const inodesPerGroup = Math.min(MAX_INODES_PER_GROUP, alignUp(Math.ceil(total / count), INODES_PER_BLOCK));
    const last = (count - 1) * BLOCKS_PER_GROUP;
    const overhead = (hasBackup(count - 1) ? 1 + descriptorBlocks : 0) + 2 + inodesPerGroup / INODES_PER_BLOCK;
    if (count === 0 || inodesPerGroup * count < inodes) {
      if (!grow) return undefined;
      blocks = Math.max(1, (Math.ceil(inodes / MAX_INODES_PER_GROUP) - 1) * BLOCKS_PER_GROUP + 1);
    } else if (blocks - last < overhead + LEAST_DATA) {
      if (!grow && count === 1) return undefined;
      blocks = grow ? last + overhead + LEAST_DATA : last;
    } else return { blocks, count, descriptorBlocks, inodesPerGroup };
  }
}

/** Gives contiguous blocks from `from` on that keep clear of the backups; a gap before a backup is left to data. */
function placer(from: number, backups: readonly Run[], fixed: Run[]): (count: number) => number {
  let cursor = from;
  return (count) => {
    for (const backup of backups)
      if (cursor + count > backup.start && cursor < backup.start + backup.count) cursor = backup.start + backup.count;
    const start = cursor;
    fixed.push({ start, count });
    cursor += count;
    return start;
  };
}

function merged(runs: Run[]): Run[] {
  const out: Run[] = [];
  for (const run of runs.sort((a, b) => a.start - b.start)) {
    const before = out.at(-1);
    if (before !== undefined && before.start + before.count === run.start)
      out[out.length - 1] = { start: before.start, count: before.count + run.count };
    else out.push(run);
  }
  return out;
}
