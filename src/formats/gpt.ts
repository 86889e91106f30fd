/**
 * GUID partition tables (UEFI 2.10 §5.3): protective MBR, header and entries at the start, their copies at the end.
 * Partitions are laid out in order, each aligned to 1 MiB, which suits every disk's erase blocks and both sector sizes.
 */
import { crc32 } from "node:zlib";
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import type { SparseWrite } from "./sparse-write.ts";
import { guidBytes } from "./uuid.ts";

export interface NewPartition {
  /** GUID of what it is for. */
  readonly type: string;
  /** Its own GUID. */
  readonly id: string;
  /** At most 36 UTF-16 code units. */
  readonly name: string;
  /** Bytes; rounded up to whole sectors. */
  readonly size: number;
  /** Bit 60 of its attributes: mounted read-only when it is found by its type. */
  readonly readonly?: boolean;
}

export interface PlacedPartition extends NewPartition {
  /** Bytes from the start of the disk. */
  readonly offset: number;
}

export interface GptOptions {
  /** GUID of the disk. */
  readonly diskId: string;
  readonly sectorSize: 512 | 4096;
  /** Bytes of the whole disk; absent: what the partitions need. */
  readonly size?: number;
}

export interface GptLayout {
  /** Bytes of the whole disk. */
  readonly size: number;
  readonly partitions: readonly PlacedPartition[];
  /** The table's own sectors, in rising order of offset: before and after all partitions. */
  readonly head: readonly SparseWrite[];
  readonly tail: readonly SparseWrite[];
}

export const GPT_ALIGNMENT = 1024 * 1024;
export const GPT_ENTRY_SIZE = 128;
export const GPT_ENTRY_COUNT = 128;
const READ_ONLY = 1n << 60n;
const REVISION = 0x0001_0000;
export const GPT_HEADER_SIZE = 92;
export const GPT_SIGNATURE = "EFI PART";

/** Throws LIMIT_EXCEEDED when the partitions do not fit into `size`, are too many, or a name is too long. */
export function planGpt(partitions: readonly NewPartition[], options: GptOptions): GptLayout {
  const { sectorSize } = options;
  if (partitions.length > GPT_ENTRY_COUNT)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `GPT: ${partitions.length} partitions, the table holds ${GPT_ENTRY_COUNT}`,
    );
  const placed: PlacedPartition[] = [];
  let end = GPT_ALIGNMENT; // Room for the table, whatever the sector size.
  for (const partition of partitions) {
    if (partition.name.length > 36)
      throw new BootwrightError(
        "LIMIT_EXCEEDED",
        `GPT: the partition name "${partition.name}" is longer than 36 characters`,
      );
    const size = alignUp(partition.size, sectorSize);
    if (size === 0) throw new BootwrightError("LIMIT_EXCEEDED", `GPT: the partition "${partition.name}" is empty`);
    placed.push({ ...partition, size, offset: end });
    end = alignUp(end + size, GPT_ALIGNMENT);
  }
  const backup = alignUp(GPT_ENTRY_SIZE * GPT_ENTRY_COUNT, sectorSize) + sectorSize;
  const needed = alignUp(end + backup, GPT_ALIGNMENT);
  const size = options.size ?? needed;
  if (size % sectorSize !== 0)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `GPT: a disk of ${size} bytes is no whole number of ${sectorSize}-byte sectors`,
    );
  if (size < end + backup)
    throw new BootwrightError("LIMIT_EXCEEDED", `GPT: the partitions need ${needed} bytes, the disk has ${size}`, {
      hint: `make the disk at least ${Math.ceil(needed / GPT_ALIGNMENT)}MiB`,
    });
  return { size, partitions: placed, ...encodeTables(placed, { ...options, size }) };
}

function encodeTables(
  partitions: readonly PlacedPartition[],
  { diskId, sectorSize, size }: GptOptions & { size: number },
): { head: SparseWrite[]; tail: SparseWrite[] } {
  const entries = encodeEntries(partitions, sectorSize);
  const entriesCrc = crc32(entries.subarray(0, GPT_ENTRY_SIZE * GPT_ENTRY_COUNT));
  const last = size / sectorSize - 1;
  const entrySectors = entries.length / sectorSize;
  const header = (self: number, other: number, entriesAt: number): Buffer => {
    const block = Buffer.alloc(sectorSize);
    block.write(GPT_SIGNATURE, 0, "latin1");
    block.writeUInt32LE(REVISION, 8);
    block.writeUInt32LE(GPT_HEADER_SIZE, 12);
    block.writeBigUInt64LE(BigInt(self), 24);
    block.writeBigUInt64LE(BigInt(other), 32);
    block.writeBigUInt64LE(BigInt(2 + entrySectors), 40);
    block.writeBigUInt64LE(BigInt(last - entrySectors - 1), 48);
    guidBytes(diskId).copy(block, 56);
    block.writeBigUInt64LE(BigInt(entriesAt), 72);
    block.writeUInt32LE(GPT_ENTRY_COUNT, 80);
    block.writeUInt32LE(GPT_ENTRY_SIZE, 84);
    block.writeUInt32LE(entriesCrc, 88);
    block.writeUInt32LE(crc32(block.subarray(0, GPT_HEADER_SIZE)), 16);
    return block;
  };
  return {
    head: [
      { offset: 0, bytes: protectiveMbr(size, sectorSize) },
      { offset: sectorSize, bytes: header(1, last, 2) },
      { offset: 2 * sectorSize, bytes: entries },
    ],
    tail: [
      { offset: (last - entrySectors) * sectorSize, bytes: entries },
      { offset: last * sectorSize, bytes: header(last, 1, last - entrySectors) },
    ],
  };
}

function encodeEntries(partitions: readonly PlacedPartition[], sectorSize: number): Buffer {
  const entries = Buffer.alloc(alignUp(GPT_ENTRY_SIZE * GPT_ENTRY_COUNT, sectorSize));
  for (const [i, { type, id, name, offset, size, readonly = false }] of partitions.entries()) {
    const at = i * GPT_ENTRY_SIZE;
    guidBytes(type).copy(entries, at);
    guidBytes(id).copy(entries, at + 16);
    entries.writeBigUInt64LE(BigInt(offset / sectorSize), at + 32);
    entries.writeBigUInt64LE(BigInt((offset + size) / sectorSize - 1), at + 40);
    if (readonly) entries.writeBigUInt64LE(READ_ONLY, at + 48);
    entries.write(name, at + 56, "utf16le");
  }
  return entries;
}

/** One partition of type 0xEE over the whole disk, so that tools without GPT do not take it for empty. */
function protectiveMbr(size: number, sectorSize: number): Buffer {
  const mbr = Buffer.alloc(sectorSize);
  const entry = 446;
  mbr.set([0x00, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], entry);
  mbr.writeUInt32LE(1, entry + 8);
  mbr.writeUInt32LE(Math.min(size / sectorSize - 1, 0xffff_ffff), entry + 12);
  mbr.set([0x55, 0xaa], 510);
  return mbr;
}
