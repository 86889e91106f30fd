/** Reads ELF headers, sections and segments (System V ABI, gabi 4.1): 32 and 64 bits, both byte orders. */
import { ByteReader } from "./byte-reader.ts";

export interface ElfFile {
  readonly bits: 32 | 64;
  readonly littleEndian: boolean;
  /** e_type: 1 relocatable (kernel modules), 2 executable, 3 shared. */
  readonly type: number;
  /** e_machine: 62 x86-64, 183 AArch64. */
  readonly machine: number;
  readonly sections: readonly ElfSection[];
  readonly segments: readonly ElfSegment[];
  readonly reader: ByteReader;
}

export interface ElfSection {
  readonly name: string;
  readonly type: number;
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly size: number;
}

export interface ElfSegment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  /** Bytes in the file. */
  readonly size: number;
}

const SHT_NOBITS = 8;

export const isElf = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;

/** Throws FORMAT_INVALID when a header is not right or a table leaves the file. `origin` stands in messages. */
export function readElf(bytes: Uint8Array, origin = "ELF"): ElfFile {
  const ident = new ByteReader(bytes, { format: origin });
  if (!isElf(bytes)) throw ident.error(0, "the magic 7F 45 4C 46");
  const elfClass = ident.u8(4);
  const order = ident.u8(5);
  if (elfClass !== 1 && elfClass !== 2) throw ident.error(4, `32 or 64 bits, found class ${elfClass}`);
  if (order !== 1 && order !== 2) throw ident.error(5, `a byte order, found ${order}`);
  const reader = new ByteReader(bytes, { format: origin, littleEndian: order === 1 });
  const wide = elfClass === 2;
  const type = reader.u16(16);
  const machine = reader.u16(18);
  return {
    bits: wide ? 64 : 32,
    littleEndian: order === 1,
    type,
    machine,
    sections: readSections(reader, wide),
    segments: readSegments(reader, wide),
    reader,
  };
}

export const findElfSection = (elf: ElfFile, name: string): ElfSection | undefined =>
  elf.sections.find((section) => section.name === name);

/** A section's bytes, as a view. Sections without bytes in the file (.bss) are empty. */
export const elfSectionBytes = (elf: ElfFile, section: ElfSection): Uint8Array =>
  section.type === SHT_NOBITS ? new Uint8Array(0) : elf.reader.slice(section.offset, section.size);

function readSections(reader: ByteReader, wide: boolean): ElfSection[] {
  const word = wordReader(reader, wide);
  const table = word(wide ? 40 : 32);
  if (table === 0) return [];
  const entry = reader.u16(wide ? 58 : 46);
  if (entry < (wide ? 64 : 40)) throw reader.error(wide ? 58 : 46, `a size of section headers, found ${entry}`);
  const sizeField = wide ? 32 : 20;
  // More than 65,279 sections: the count and the name table's index moved into the first header.
  const count = reader.u16(wide ? 60 : 48) || word(table + sizeField);
  const escaped = reader.u16(wide ? 62 : 50);
  const nameIndex = escaped === 0xffff ? reader.u32(table + (wide ? 40 : 24)) : escaped;
  if (table + count * entry > reader.length) throw reader.error(table, `${count} section headers within the file`);
  const raw = Array.from({ length: count }, (_, i) => {
    const at = table + i * entry;
    return {
      nameAt: reader.u32(at),
      type: reader.u32(at + 4),
      offset: word(at + (wide ? 24 : 16)),
      size: word(at + sizeField),
    };
  });
  const names = raw[nameIndex];
  return raw.map(({ nameAt, type, offset, size }) => ({
    name: names === undefined || nameAt >= names.size ? "" : reader.cString(names.offset + nameAt),
    type,
    offset,
    size,
  }));
}

function readSegments(reader: ByteReader, wide: boolean): ElfSegment[] {
  const word = wordReader(reader, wide);
  const table = word(wide ? 32 : 28);
  const entry = reader.u16(wide ? 54 : 42);
  const count = table === 0 ? 0 : reader.u16(wide ? 56 : 44);
  if (count > 0 && entry < (wide ? 56 : 32))
    throw reader.error(wide ? 54 : 42, `a size of program headers, found ${entry}`);
  return Array.from({ length: count }, (_, i) => {
    const at = table + i * entry;
    return {
      type: reader.u32(at),
      offset: word(at + (wide ? 8 : 4)),
      address: word(at + (wide ? 16 : 8)),
      size: word(at + (wide ? 32 : 16)),
    };
  });
}

export const wordReader =
  (reader: ByteReader, wide: boolean) =>
  (at: number): number =>
    wide ? reader.u64(at) : reader.u32(at);
