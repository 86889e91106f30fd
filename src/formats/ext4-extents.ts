/**
 * Extent trees (Documentation/filesystems/ext4/ifork.rst, "Extent Tree"): four extents stand in the inode; a file that
 * needs more, because it is long or because block-group metadata cuts it, gets blocks of 340 each, in as many levels as
 * it takes.
 */
import { crc32c } from "./crc32c.ts";
import { EXT4_BLOCK, type Run } from "./ext4-layout.ts";

const MAGIC = 0xf30a;
const RECORD = 12;
const IN_INODE = 4;
const IN_BLOCK = Math.floor((EXT4_BLOCK - RECORD - 4) / RECORD);
const CHECKSUM_AT = RECORD * (1 + IN_BLOCK);
/** Longer ones would read as "allocated but not written". */
const MAX_LENGTH = 32768;

/** The bytes of `i_block`. */
export const INODE_ROOT_SIZE = RECORD * (1 + IN_INODE);

export interface ExtentTree {
  readonly root: Buffer;
  /** One for each block that was given, in their order. */
  readonly blocks: readonly Buffer[];
}

/** How many blocks of its own the tree over these runs needs. */
export function extentBlockCount(runs: readonly Run[]): number {
  let sum = 0;
  for (let width = extentCount(runs); width > IN_INODE; ) {
    width = Math.ceil(width / IN_BLOCK);
    sum += width;
  }
  return sum;
}

/** `seed`: the inode's checksum seed. */
export function encodeExtents(runs: readonly Run[], blocks: readonly number[], seed: number): ExtentTree {
  let level = extents(runs);
  let depth = 0;
  const encoded: Buffer[] = [];
  while (level.length > IN_INODE) {
    const above: Item[] = [];
    for (let from = 0; from < level.length; from += IN_BLOCK) {
      const items = level.slice(from, from + IN_BLOCK);
      const block = Buffer.alloc(EXT4_BLOCK);
      writeNode(block, { items, depth, most: IN_BLOCK });
      block.writeUInt32LE(crc32c(seed, block, 0, CHECKSUM_AT), CHECKSUM_AT);
      above.push({ logical: items[0]!.logical, physical: blocks[encoded.length]!, length: 0 });
      encoded.push(block);
    }
    level = above;
    depth++;
  }
  const root = Buffer.alloc(INODE_ROOT_SIZE);
  writeNode(root, { items: level, depth, most: IN_INODE });
  return { root, blocks: encoded };
}

/** An extent, or a pointer to a block of them (length 0). */
interface Item {
  readonly logical: number;
  readonly physical: number;
  readonly length: number;
}

function extentCount(runs: readonly Run[]): number {
  let sum = 0;
  for (const { count } of runs) sum += Math.ceil(count / MAX_LENGTH);
  return sum;
}

function extents(runs: readonly Run[]): Item[] {
  const out: Item[] = [];
  let logical = 0;
  for (const { start, count } of runs)
    for (let at = 0; at < count; at += MAX_LENGTH) {
      const length = Math.min(MAX_LENGTH, count - at);
      out.push({ logical, physical: start + at, length });
      logical += length;
    }
  return out;
}

function writeNode(out: Buffer, node: { items: readonly Item[]; depth: number; most: number }): void {
  out.writeUInt16LE(MAGIC, 0);
  out.writeUInt16LE(node.items.length, 2);
  out.writeUInt16LE(node.most, 4);
  out.writeUInt16LE(node.depth, 6);
  let at = RECORD;
  for (const { logical, physical, length } of node.items) {
    out.writeUInt32LE(logical, at);
    // A leaf's record is length, high half, low half; an index record is low half, high half.
    if (node.depth === 0) {
      out.writeUInt16LE(length, at + 4);
      out.writeUInt32LE(physical, at + 8);
    } else out.writeUInt32LE(physical, at + 4);
    at += RECORD;
  }
}
