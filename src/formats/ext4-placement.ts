/**
 * Gives every inode its blocks. What a lookup reads stands first (directories, long links, attributes), then the
 * journal, then the contents in the order of the tree. An extent tree's own blocks follow the content that needs them.
 */
import { BlockAllocator } from "./ext4-allocator.ts";
import { extentBlockCount } from "./ext4-extents.ts";
import { type Ext4Inode, NO_XATTRS } from "./ext4-inode.ts";
import { journalBlocks } from "./ext4-journal.ts";
import { EXT4_BLOCK, type Ext4Layout, type Run } from "./ext4-layout.ts";
import type { Ext4Plan } from "./ext4-plan.ts";
import { JOURNAL_INODE } from "./ext4-superblock.ts";

export interface Placement {
  /** Blocks given out; more than the layout has when it is too small. */
  readonly used: number;
  /** All blocks below are in use. */
  readonly end: number;
}

/** Sets `runs`, `extentBlocks` and `xattrBlock` anew. The journal's size follows the volume's. */
export function placeInodes(plan: Ext4Plan, layout: Ext4Layout, journal: Ext4Inode | undefined): Placement {
  const blocks = new BlockAllocator(layout);
  const place = (inode: Ext4Inode) => {
    inode.runs = blocks.take(Math.ceil(inode.size / EXT4_BLOCK));
    inode.extentBlocks = numbersOf(blocks.take(extentBlockCount(inode.runs)));
  };
  for (const { inode } of plan.directories) place(inode);
  for (const { inode } of plan.symlinks) place(inode);
  for (const inode of [plan.root, ...plan.inodes])
    if (inode.xattrs.block !== undefined) inode.xattrBlock = blocks.take(1)[0]!.start;
  if (journal !== undefined) {
    journal.size = journalBlocks(layout.blocks) * EXT4_BLOCK;
    place(journal);
  }
  for (const { inode } of plan.files) place(inode);
  return { used: blocks.used, end: blocks.end };
}

export const journalInode = (epoch: number): Ext4Inode => ({
  number: JOURNAL_INODE,
  path: "journal",
  mode: 0o100600,
  uid: 0,
  gid: 0,
  time: epoch,
  xattrs: NO_XATTRS,
  links: 1,
  flags: 0,
  size: 0,
  runs: [],
  extentBlocks: [],
  xattrBlock: 0,
});

function numbersOf(runs: readonly Run[]): readonly number[] {
  if (runs.length === 0) return NONE;
  return runs.flatMap(({ start, count }) => Array.from({ length: count }, (_, i) => start + i));
}

const NONE: readonly number[] = [];
