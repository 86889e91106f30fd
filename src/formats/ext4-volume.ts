/** A placed volume as writes in rising order: the fixed structures of the groups, and between them what inodes hold. */

import { exactContent } from "./exact-content.ts";
import { encodeDirectory } from "./ext4-directory.ts";
import { encodeExtents } from "./ext4-extents.ts";
import { type Ext4Inode, inodeSeed, writeInode } from "./ext4-inode.ts";
import { encodeJournal } from "./ext4-journal.ts";
import { DESCRIPTOR_SIZE, EXT4_BLOCK, type Ext4Group, type Ext4Layout, INODE_SIZE } from "./ext4-layout.ts";
import type { Placement } from "./ext4-placement.ts";
import type { Ext4Plan } from "./ext4-plan.ts";
import {
  encodeSuperblock,
  FIRST_INODE,
  type GroupState,
  JOURNAL_INODE,
  newBitmap,
  SUPERBLOCK_AT,
  setBits,
  writeDescriptor,
} from "./ext4-superblock.ts";
import { sealXattrBlock } from "./ext4-xattr.ts";
import type { FileContent, ReadContent } from "./filetree.ts";
import { SparseBatcher } from "./sparse-batcher.ts";
import type { ImagePiece, SparseWrite } from "./sparse-write.ts";

export interface Ext4Volume {
  readonly plan: Ext4Plan;
  readonly layout: Ext4Layout;
  readonly placed: Placement;
  readonly journal: Ext4Inode | undefined;
  readonly uuid: Uint8Array;
  readonly hashSeed: Uint32Array;
  readonly label: Uint8Array;
  readonly epoch: number;
  /** Start of the volume's checksums. */
  readonly seed: number;
}

/** Contents of `refer` bytes and more are referred to, not read. */
export function* writeVolume(
  volume: Ext4Volume,
  { read, refer }: { read: ReadContent; refer: number },
): Generator<ImagePiece> {
  yield* new VolumeWriter(volume).write(read, refer);
}

/** Something of the groups that stands at a fixed block. */
interface Fixture {
  readonly block: number;
  readonly write: () => Generator<SparseWrite>;
}

class VolumeWriter {
  readonly #volume: Ext4Volume;
  readonly #out = new SparseBatcher();
  readonly #fixtures: readonly Fixture[];
  #nextFixture = 0;

  constructor(volume: Ext4Volume) {
    this.#volume = volume;
    this.#fixtures = this.#plannedFixtures();
  }

  *write(read: ReadContent, refer: number): Generator<ImagePiece> {
    const { plan, journal, uuid, seed } = this.#volume;
    for (const { inode, parent, items, plan: blocks } of plan.directories) {
      const dir = { items, inode: inode.number, parent, seed: inodeSeed(inode.number, seed) };
      yield* this.#content(inode, encodeDirectory(blocks, dir));
    }
    for (const { inode, target } of plan.symlinks) yield* this.#content(inode, [target]);
    for (const inode of [plan.root, ...plan.inodes])
      if (inode.xattrs.block !== undefined)
        yield* this.#at(inode.xattrBlock, sealXattrBlock(inode.xattrs.block, inode.xattrBlock, seed));
    if (journal !== undefined) yield* this.#content(journal, [encodeJournal(journal.size / EXT4_BLOCK, uuid)]);
    for (const { inode, content } of plan.files)
      if (content.size >= refer) yield* this.#reference(inode, content);
      else yield* this.#content(inode, exactContent(content, { read, what: `ext4: ${inode.path}` }));
    yield* this.#fixturesBelow(Number.POSITIVE_INFINITY);
    yield* this.#out.flush();
  }

  /** Spreads the chunks over the inode's blocks; then come the blocks of its extent tree. */
  *#content(inode: Ext4Inode, chunks: Iterable<Uint8Array>): Generator<SparseWrite> {
    let run = 0;
    let left = 0;
    for (const chunk of chunks)
      for (let from = 0; from < chunk.length; ) {
        if (left === 0) {
          const { start, count } = inode.runs[run++]!;
          left = count * EXT4_BLOCK;
          yield* this.#fixturesBelow(start);
          this.#out.seek(start * EXT4_BLOCK);
        }
        const part = Math.min(left, chunk.length - from);
        yield* this.#out.write(part === chunk.length ? chunk : chunk.subarray(from, from + part));
        left -= part;
        from += part;
      }
    yield* this.#extentTree(inode);
  }

  /** As #content, without the bytes. */
  *#reference(inode: Ext4Inode, content: FileContent): Generator<ImagePiece> {
    let from = 0;
    for (const { start, count } of inode.runs) {
      yield* this.#fixturesBelow(start);
      yield* this.#out.flush();
      const offset = start * EXT4_BLOCK;
      const length = Math.min(count * EXT4_BLOCK, content.size - from);
      yield { offset, content, from, length };
      this.#out.seek(offset + length);
      from += length;
    }
    yield* this.#extentTree(inode);
  }

  *#extentTree(inode: Ext4Inode): Generator<SparseWrite> {
    if (inode.extentBlocks.length === 0) return;
    const { blocks } = encodeExtents(inode.runs, inode.extentBlocks, inodeSeed(inode.number, this.#volume.seed));
    for (const [i, block] of blocks.entries()) yield* this.#at(inode.extentBlocks[i]!, block);
  }

  *#at(block: number, bytes: Uint8Array): Generator<SparseWrite> {
    yield* this.#fixturesBelow(block);
    this.#out.seek(block * EXT4_BLOCK);
    yield* this.#out.write(bytes);
  }

  *#fixturesBelow(block: number): Generator<SparseWrite> {
    for (; ; this.#nextFixture++) {
      const next = this.#fixtures[this.#nextFixture];
      if (next === undefined || next.block > block) return;
      this.#out.seek(next.block * EXT4_BLOCK);
      yield* next.write();
    }
  }

  #plannedFixtures(): Fixture[] {
    const { layout, plan } = this.#volume;
    const out = this.#out;
    const directories = new Map<number, number>();
    for (const { inode } of plan.directories) {
      const group = Math.floor((inode.number - 1) / layout.inodesPerGroup);
      directories.set(group, (directories.get(group) ?? 0) + 1);
    }
    const descriptors = Buffer.alloc(layout.descriptorBlocks * EXT4_BLOCK);
    const fixtures: Fixture[] = [];
    for (const group of layout.groups) {
      const state = groupState(this.#volume, group, directories.get(group.number) ?? 0);
      const at = group.number * DESCRIPTOR_SIZE;
      writeDescriptor(descriptors.subarray(at, at + DESCRIPTOR_SIZE), state, this.#volume);
      if (group.backup) fixtures.push({ block: group.start, write: () => this.#superblock(group, descriptors) });
      if (!state.untouched)
        fixtures.push({ block: group.blockBitmap, write: () => out.write(blockBitmap(this.#volume, group).bitmap) });
      if (state.usedInodes === 0) continue;
      fixtures.push({ block: group.inodeBitmap, write: () => out.write(inodeBitmap(this.#volume, group).bitmap) });
      fixtures.push({ block: group.inodeTable, write: () => this.#inodeTable(group, state.usedInodes) });
    }
    return fixtures.sort((a, b) => a.block - b.block);
  }

  *#superblock(group: Ext4Group, descriptors: Buffer): Generator<SparseWrite> {
    const { layout, placed, plan, journal, ...rest } = this.#volume;
    const freeInodes = layout.inodesPerGroup * layout.groups.length - (FIRST_INODE - 1) - plan.inodes.length;
    const bytes = encodeSuperblock(
      {
        ...rest,
        layout,
        freeBlocks: layout.available - placed.used,
        freeInodes,
        journal: journal && {
          root: encodeExtents(journal.runs, journal.extentBlocks, inodeSeed(JOURNAL_INODE, rest.seed)).root,
          size: journal.size,
        },
      },
      group.number,
    );
    if (group.number === 0) this.#out.seek(SUPERBLOCK_AT);
    yield* this.#out.write(bytes);
    this.#out.seek((group.start + 1) * EXT4_BLOCK);
    yield* this.#out.write(descriptors);
  }

  *#inodeTable(group: Ext4Group, used: number): Generator<SparseWrite> {
    const { layout, plan, journal, seed, epoch } = this.#volume;
    const first = group.number * layout.inodesPerGroup + 1;
    const { root, inodes } = plan;
    const bytes = Buffer.alloc(INODE_SIZE);
    for (let number = first; number < first + used; number++) {
      const inode =
        number >= FIRST_INODE
          ? inodes[number - FIRST_INODE]
          : number === root.number
            ? root
            : number === JOURNAL_INODE
              ? journal
              : undefined;
      if (inode === undefined) continue;
      this.#out.seek(group.inodeTable * EXT4_BLOCK + (number - first) * INODE_SIZE);
      bytes.fill(0);
      writeInode(bytes, inode, { seed, created: epoch });
      yield* this.#out.write(bytes);
    }
  }
}

function groupState(volume: Ext4Volume, group: Ext4Group, directories: number): GroupState {
  const { bitmap, free, untouched } = blockBitmap(volume, group);
  const inodes = inodeBitmap(volume, group);
  return {
    group,
    blockBitmap: bitmap,
    freeBlocks: free,
    untouched,
    inodeBitmap: inodes.bitmap,
    usedInodes: inodes.used,
    directories,
  };
}

/** Bits past the end of a short last group are set. */
function blockBitmap({ layout, placed }: Ext4Volume, group: Ext4Group) {
  const bitmap = newBitmap();
  const end = group.start + group.blocks;
  const given = Math.min(Math.max(placed.end, group.start), end);
  setBits(bitmap, 0, given - group.start);
  let free = end - given;
  let own = group.backup ? 1 + layout.descriptorBlocks : 0;
  for (let i = firstReaching(layout, given); i < layout.reserved.length; i++) {
    const run = layout.reserved[i]!;
    if (run.start >= end) break;
    const from = Math.max(run.start, given);
    const to = Math.min(run.start + run.count, end);
    setBits(bitmap, from - group.start, to - from);
    free -= to - from;
    own -= to - from;
  }
  setBits(bitmap, group.blocks, bitmap.length * 8 - group.blocks);
  // e2fsprogs never leaves the last group's bitmap to be derived, and not all readers would.
  const untouched = given === group.start && own === 0 && group.number !== layout.groups.length - 1;
  return { bitmap, free, untouched };
}

/** The first reserved run that ends after `block`. */
function firstReaching({ reserved }: Ext4Layout, block: number): number {
  let low = 0;
  let high = reserved.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { start, count } = reserved[middle]!;
    if (start + count > block) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Inodes in use stand at the front; bits past the table's end are set. */
function inodeBitmap({ layout, plan }: Ext4Volume, group: Ext4Group) {
  const bitmap = newBitmap();
  const last = FIRST_INODE - 1 + plan.inodes.length;
  const used = Math.min(Math.max(0, last - group.number * layout.inodesPerGroup), layout.inodesPerGroup);
  setBits(bitmap, 0, used);
  setBits(bitmap, layout.inodesPerGroup, bitmap.length * 8 - layout.inodesPerGroup);
  return { bitmap, used };
}
