/** An empty journal (Documentation/filesystems/ext4/journal.rst): one superblock, big-endian; the rest is zeros. */
import { EXT4_BLOCK } from "./ext4-layout.ts";

const MAGIC = 0xc03b_3998;
const SUPERBLOCK_V2 = 4;

/** mke2fs's sizes: from 4 MiB up to 1 GiB with the volume. */
export function journalBlocks(volumeBlocks: number): number {
  const [, blocks] = SIZES.find(([below]) => volumeBlocks < below)!;
  return blocks;
}

/** Its first block. `blocks`: the journal's size. */
export function encodeJournal(blocks: number, uuid: Uint8Array): Buffer {
  const out = Buffer.alloc(EXT4_BLOCK);
  out.writeUInt32BE(MAGIC, 0);
  out.writeUInt32BE(SUPERBLOCK_V2, 4);
  out.writeUInt32BE(EXT4_BLOCK, 12);
  out.writeUInt32BE(blocks, 16);
  out.writeUInt32BE(1, 20); // The log's first block.
  out.writeUInt32BE(1, 24); // The first transaction's number; none has begun (28).
  out.set(uuid, 48);
  out.writeUInt32BE(1, 64); // File systems that use it.
  return out;
}

const SIZES = [
  [32_768, 1024],
  [262_144, 4096],
  [524_288, 8192],
  [4_194_304, 16_384],
  [8_388_608, 32_768],
  [16_777_216, 65_536],
  [Number.POSITIVE_INFINITY, 262_144],
] as const;
