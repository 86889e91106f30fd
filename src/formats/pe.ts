/**
 * Reads PE/COFF headers as far as EFI programs need them (Microsoft PE format specification): machine, sizes, sections.
 * Contents are read lazily, by range.
 */
import { BootwrightError } from "../base/errors.ts";
import { ByteReader, formatError } from "./byte-reader.ts";
import { type ByteSource, readChunks, readExactly } from "./byte-source.ts";

/** EFI machine types of the COFF header. */
export const PE_MACHINES: Readonly<Record<number, string>> = {
  332: "ia32",
  34404: "amd64",
  452: "arm",
  43620: "arm64",
  20580: "riscv64",
  25188: "loongarch64",
};

export interface PeSection {
  readonly name: string;
  /** Bytes in memory; more than in the file means zeros behind. */
  readonly virtualSize: number;
  readonly virtualAddress: number;
  /** Bytes in the file, padded to the file alignment. */
  readonly rawSize: number;
  readonly rawOffset: number;
  readonly characteristics: number;
  /** Offset of its header in the file. */
  readonly headerOffset: number;
}

export interface PeFile {
  /** COFF machine number; `PE_MACHINES` has names. */
  readonly machine: number;
  readonly pe32Plus: boolean;
  /** Offsets in the file. */
  readonly coffOffset: number;
  readonly optionalOffset: number;
  readonly sectionTableOffset: number;
  readonly sectionAlignment: number;
  readonly fileAlignment: number;
  readonly sizeOfImage: number;
  readonly sizeOfHeaders: number;
  readonly subsystem: number;
  readonly directories: readonly { readonly address: number; readonly size: number }[];
  readonly sections: readonly PeSection[];
}

export const PE_DIRECTORY_SECURITY = 4;
export const PE_DIRECTORY_DEBUG = 6;
export const PE_SECTION_HEADER_SIZE = 40;
const MAX_SECTIONS = 96; // The Windows loader's own limit; no EFI program comes near it.
const HEADER_WINDOW = 64 * 1024;

/** True when the bytes start as a PE file does. */
export const isPe = (source: ByteSource): boolean => {
  const head = source.read(0, Math.min(64, source.size));
  if (head.length < 64 || head[0] !== 0x4d || head[1] !== 0x5a) return false;
  const at = new ByteReader(head, { format: "PE" }).u32(0x3c);
  const magic = at + 4 <= source.size ? source.read(at, 4) : head;
  return magic[0] === 0x50 && magic[1] === 0x45 && magic[2] === 0 && magic[3] === 0;
};

/** Throws FORMAT_INVALID when a header is not right or a section leaves the file. `name` stands in messages. */
export function readPe(source: ByteSource, name = "PE"): PeFile {
  const dos = new ByteReader(source.read(0, Math.min(64, source.size)), { format: name });
  if (dos.u16(0) !== 0x5a4d) throw dos.error(0, 'the DOS magic "MZ"');
  const start = dos.u32(0x3c);
  if (start + 4 > Math.min(HEADER_WINDOW, source.size))
    throw dos.error(0x3c, "the offset of a PE header near the start");
  const head = new ByteReader(source.read(0, Math.min(HEADER_WINDOW, source.size)), { format: name });
  if (head.u32(start) !== 0x4550) throw head.error(start, 'the magic "PE"');
  const coff = start + 4;
  const optional = coff + 20;
  const magic = head.u16(optional);
  if (magic !== 0x10b && magic !== 0x20b) throw head.error(optional, "an optional header of PE32 or PE32+");
  const pe32Plus = magic === 0x20b;
  const optionalSize = head.u16(coff + 16);
  const directoryAt = optional + (pe32Plus ? 112 : 96);
  const directoryCount = head.u32(directoryAt - 4);
  if (directoryCount > 16 || directoryAt + directoryCount * 8 > optional + optionalSize)
    throw head.error(directoryAt - 4, `data directories within the optional header, found ${directoryCount}`);
  const sectionCount = head.u16(coff + 2);
  if (sectionCount > MAX_SECTIONS)
    throw head.error(coff + 2, `at most ${MAX_SECTIONS} sections, found ${sectionCount}`);
  const table = optional + optionalSize;
  const file: PeFile = {
    machine: head.u16(coff),
    pe32Plus,
    coffOffset: coff,
    optionalOffset: optional,
    sectionTableOffset: table,
    sectionAlignment: alignment(head, optional + 32),
    fileAlignment: alignment(head, optional + 36),
    sizeOfImage: head.u32(optional + 56),
    sizeOfHeaders: head.u32(optional + 60),
    subsystem: head.u16(optional + 68),
    directories: Array.from({ length: directoryCount }, (_, i) => ({
      address: head.u32(directoryAt + i * 8),
      size: head.u32(directoryAt + i * 8 + 4),
    })),
    sections: Array.from({ length: sectionCount }, (_, i) => section(head, table + i * PE_SECTION_HEADER_SIZE)),
  };
  for (const { name: sectionName, rawOffset, rawSize, headerOffset } of file.sections)
    if (rawSize > 0 && rawOffset + rawSize > source.size)
      throw formatError(name, headerOffset, `section ${sectionName} within the file of ${source.size} bytes`);
  return file;
}

export const findPeSection = (file: PeFile, name: string): PeSection | undefined =>
  file.sections.find((candidate) => candidate.name === name);

/** Bytes of a section's content: what is in the file, without the padding to the file alignment. */
export const peContentSize = (section: PeSection): number => Math.min(section.virtualSize, section.rawSize);

/** A section's content in chunks. */
export const readPeSection = (source: ByteSource, section: PeSection): Generator<Uint8Array> =>
  readChunks(source, {
    offset: section.rawOffset,
    length: peContentSize(section),
    format: `PE section ${section.name}`,
  });

/** A small section (≤ 1 MiB, else LIMIT_EXCEEDED) as text, trailing NULs taken off. */
export function readPeText(source: ByteSource, section: PeSection): string {
  const length = peContentSize(section);
  if (length > 1024 * 1024)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `PE section ${section.name} has ${length} bytes; as text at most 1 MiB is read`,
    );
  const bytes = readExactly(source, { offset: section.rawOffset, length, format: `PE section ${section.name}` });
  return Buffer.from(bytes).toString("utf8").replace(/\0+$/, "");
}

function alignment(head: ByteReader, at: number): number {
  const value = head.u32(at);
  if (value === 0 || value > 0x10_0000 || (value & (value - 1)) !== 0)
    throw head.error(at, `an alignment that is a power of two up to 1 MiB, found ${value}`);
  return value;
}

const section = (head: ByteReader, at: number): PeSection => ({
  name: Buffer.from(head.slice(at, 8)).toString("latin1").replace(/\0.*$/s, ""),
  virtualSize: head.u32(at + 8),
  virtualAddress: head.u32(at + 12),
  rawSize: head.u32(at + 16),
  rawOffset: head.u32(at + 20),
  characteristics: head.u32(at + 36),
  headerOffset: at,
});
