/** Reads a GUID partition table, checksums verified; a damaged first table falls back to the copy at the end (UEFI 2.10 §5.3.2). */
import { crc32 } from "node:zlib";
import { BootwrightError } from "../base/errors.ts";
import { type ByteSource, readExactly } from "./byte-source.ts";
import { GPT_HEADER_SIZE, GPT_SIGNATURE } from "./gpt.ts";
import { guidText } from "./uuid.ts";

export interface GptPartition {
  /** From 1, as the kernel counts. */
  readonly number: number;
  readonly type: string;
  readonly id: string;
  readonly name: string;
  /** Bytes. */
  readonly offset: number;
  readonly size: number;
}

export interface Gpt {
  readonly diskId: string;
  readonly sectorSize: 512 | 4096;
  readonly partitions: readonly GptPartition[];
  /** True when the first table is damaged and the copy was read. */
  readonly fromBackup: boolean;
}

const UNUSED = "00000000-0000-0000-0000-000000000000";
/** No tool writes more; a header that asks for more is hostile. */
const MAX_ENTRIES = 1024;

/** Throws FORMAT_INVALID when neither table is whole. */
export function readGpt(source: ByteSource): Gpt {
  let first: unknown;
  for (const sectorSize of [512, 4096] as const) {
    for (const backup of [false, true]) {
      const at = backup ? source.size - sectorSize : sectorSize;
      if (at < sectorSize || at + sectorSize > source.size) continue;
      try {
        return { ...readTable(source, { at, sectorSize }), fromBackup: backup };
      } catch (error) {
        if (!(error instanceof BootwrightError)) throw error;
        first ??= error;
      }
    }
  }
  throw first ?? invalid(0, "a disk of at least two sectors");
}

export interface GptCopies extends Gpt {
  /** What is wrong with the two tables, or between them; empty when all is as it must be. */
  readonly problems: readonly string[];
}

/** Reads both tables and holds them against each other. Throws FORMAT_INVALID when neither is whole. */
export function readGptCopies(source: ByteSource): GptCopies {
  const gpt = readGpt(source);
  const { sectorSize } = gpt;
  const problems: string[] = [];
  if (gpt.fromBackup) problems.push("the first table is damaged");
  else {
    // A disk that was copied to a larger one has its second table where the first one says, not at the end.
    const at = Number(Buffer.from(source.read(sectorSize, 512)).readBigUInt64LE(32)) * sectorSize;
    try {
      if (at === sectorSize) throw invalid(sectorSize + 32, "a place of its own for the second table");
      const { diskId, partitions } = readTable(source, { at, sectorSize });
      if (diskId !== gpt.diskId || JSON.stringify(partitions) !== JSON.stringify(gpt.partitions))
        problems.push("the second table says something else than the first");
    } catch (error) {
      if (!(error instanceof BootwrightError)) throw error;
      problems.push(`the second table is damaged: ${error.message}`);
    }
  }
  const placed = [...gpt.partitions].sort((a, b) => a.offset - b.offset);
  for (const [i, next] of placed.entries()) {
    const last = placed[i - 1];
    if (last !== undefined && last.offset + last.size > next.offset)
      problems.push(`partitions ${last.number} and ${next.number} overlap`);
  }
  return { ...gpt, problems };
}

export function isGpt(source: ByteSource): boolean {
  return [512, 4096].some(
    (sector) => source.size >= 2 * sector && Buffer.from(source.read(sector, 8)).toString("latin1") === GPT_SIGNATURE,
  );
}

function readTable(
  source: ByteSource,
  { at, sectorSize }: { at: number; sectorSize: 512 | 4096 },
): Omit<Gpt, "fromBackup"> {
  const header = Buffer.from(readExactly(source, { offset: at, length: sectorSize, format: "GPT" }));
  if (header.toString("latin1", 0, 8) !== GPT_SIGNATURE) throw invalid(at, 'the signature "EFI PART"');
  const headerSize = header.readUInt32LE(12);
  if (headerSize < GPT_HEADER_SIZE || headerSize > sectorSize) throw invalid(at + 12, "a header size");
  const wanted = header.readUInt32LE(16);
  header.writeUInt32LE(0, 16);
  if (crc32(header.subarray(0, headerSize)) !== wanted) throw invalid(at + 16, "the header's checksum");
  const count = header.readUInt32LE(80);
  const entrySize = header.readUInt32LE(84);
  if (count > MAX_ENTRIES || entrySize < 128 || entrySize > 4096)
    throw invalid(at + 80, "a table of at most 1024 entries");
  const table = Number(header.readBigUInt64LE(72)) * sectorSize;
  const entries = Buffer.from(readExactly(source, { offset: table, length: count * entrySize, format: "GPT" }));
  if (crc32(entries) !== header.readUInt32LE(88)) throw invalid(table, "the table's checksum");
  const partitions: GptPartition[] = [];
  for (let i = 0; i < count; i++) {
    const entry = entries.subarray(i * entrySize, (i + 1) * entrySize);
    const type = guidText(entry);
    if (type === UNUSED) continue;
    const [start, end] = [Number(entry.readBigUInt64LE(32)), Number(entry.readBigUInt64LE(40))];
    const offset = start * sectorSize;
    const size = (end - start + 1) * sectorSize;
    if (!(size > 0 && offset + size <= source.size))
      throw invalid(table + i * entrySize, `partition ${i + 1} within the disk`);
    partitions.push({
      number: i + 1,
      type,
      id: guidText(entry.subarray(16)),
      name: entry.toString("utf16le", 56, 128).replace(/\0.*$/s, ""),
      offset,
      size,
    });
  }
  return { diskId: guidText(header.subarray(56)), sectorSize, partitions };
}

const invalid = (offset: number, expected: string) =>
  new BootwrightError("FORMAT_INVALID", `GPT: offset ${offset}: expected ${expected}`);
