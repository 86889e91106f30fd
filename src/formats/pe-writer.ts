/**
 * Appends sections to an EFI program. The addresses follow each other without gaps (some firmware faults over a gap), file
 * offsets keep the file alignment, and what would differ between builds (time stamp, checksum, symbol table) is cleared.
 * Headers are computed first from the sizes alone, so that contents of any size can stream.
 */
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { type ByteSource, readExactly } from "./byte-source.ts";
import { ChunkBatcher } from "./chunk-batcher.ts";
import type { FileContent } from "./filetree.ts";
import {
  PE_DIRECTORY_DEBUG,
  PE_DIRECTORY_SECURITY,
  PE_SECTION_HEADER_SIZE,
  type PeFile,
  type PeSection,
  readPe,
} from "./pe.ts";
import type { ImagePiece } from "./sparse-write.ts";

export interface NewSection {
  /** At most 8 ASCII bytes. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Bytes in memory when that is more than `size`: zeros follow. */
  readonly virtualSize?: number;
  /** Default: initialized data, readable. */
  readonly characteristics?: number;
  readonly read: () => Iterable<Uint8Array>;
  /** What `pieces` may refer to instead. */
  readonly content?: FileContent;
}

export const PE_DATA = 0x4000_0040; // IMAGE_SCN_CNT_INITIALIZED_DATA | IMAGE_SCN_MEM_READ
export const PE_CODE = 0x4000_0020; // IMAGE_SCN_CNT_CODE | IMAGE_SCN_MEM_READ

export interface AppendOptions {
  readonly sections: readonly NewSection[];
  /** Sections of the original to leave out (their replacement is among the new ones). */
  readonly drop?: readonly string[];
}

export interface AppendedPe {
  /** Bytes of the whole file. */
  readonly size: number;
  readonly chunks: () => Generator<Uint8Array>;
  /** The ranges that hold data, in rising order, with contents of at least `refer` bytes as references where sections have them. */
  readonly pieces: (refer: number) => Generator<ImagePiece>;
}

/**
 * Throws UNSUPPORTED when the program is signed or has no room for more section headers, LIMIT_EXCEEDED over 4 GiB,
 * FORMAT_INVALID when it is no PE file, and a plain Error when a `read` does not deliver its size.
 */
export function appendPeSections(stub: ByteSource, options: AppendOptions): AppendedPe {
  const pe = readPe(stub, "EFI stub");
  const drop = new Set(options.drop ?? []);
  const kept = pe.sections.filter((section) => !drop.has(section.name));
  checkStub(pe, kept);
  const headerSize = roomForHeaders(pe, kept, options.sections.length);
  const old = placeOld(kept, { headerSize, fileAlignment: pe.fileAlignment });
  const fresh = placeNew(options.sections, { pe, after: old.sections, rawOffset: old.end });
  const header = encodeHeader(stub, {
    pe,
    headerSize,
    sections: [...old.sections, ...fresh.sections],
    fresh: fresh.sections,
  });
  const oldBytes = function* (): Generator<{ offset: number; bytes: Uint8Array }> {
    for (const [i, { rawSize, rawOffset }] of old.sections.entries()) {
      if (rawSize === 0) continue;
      const { rawOffset: offset, rawSize: length, name } = kept[i]!;
      yield { offset: rawOffset, bytes: readExactly(stub, { offset, length, format: `EFI stub section ${name}` }) };
    }
  };
  return {
    size: fresh.end,
    *pieces(refer) {
      yield { offset: 0, bytes: header };
      yield* oldBytes();
      for (const [i, section] of options.sections.entries()) {
        let offset = fresh.sections[i]!.rawOffset;
        if (section.content !== undefined && section.size >= refer)
          yield { offset, content: section.content, from: 0, length: section.size };
        else
          for (const bytes of contentOf(section)) {
            yield { offset, bytes };
            offset += bytes.length;
          }
      }
    },
    *chunks() {
      const out = new ChunkBatcher();
      yield* out.write(header);
      for (const { bytes } of oldBytes()) {
        yield* out.write(bytes);
        yield* out.pad(pe.fileAlignment);
      }
      for (const section of options.sections) {
        for (const chunk of contentOf(section)) yield* out.write(chunk);
        yield* out.pad(pe.fileAlignment);
      }
      yield* out.flush();
    },
  };
}

function checkStub(pe: PeFile, kept: readonly PeSection[]): void {
  if ((pe.directories[PE_DIRECTORY_SECURITY]?.size ?? 0) > 0)
    throw new BootwrightError("UNSUPPORTED", "the EFI stub is signed: adding sections would break the signature", {
      hint: "use the unsigned stub, and sign the result",
    });
  if (kept.length === 0) throw new BootwrightError("FORMAT_INVALID", "EFI stub: expected at least one section");
  let end = 0;
  for (const section of kept) {
    if (section.virtualAddress < end)
      throw new BootwrightError("FORMAT_INVALID", `EFI stub: section ${section.name} overlaps the one before it`);
    end = section.virtualAddress + section.virtualSize;
  }
}

/** Bytes of the header, grown by moving the sections' file offsets when the table needs more (addresses stay). */
function roomForHeaders(pe: PeFile, kept: readonly PeSection[], added: number): number {
  const needed = pe.sectionTableOffset + (kept.length + added) * PE_SECTION_HEADER_SIZE;
  const size = alignUp(Math.max(needed, pe.sizeOfHeaders), pe.fileAlignment);
  if (size > kept[0]!.virtualAddress)
    throw new BootwrightError("UNSUPPORTED", `the EFI stub has no room for ${added} more section headers`);
  // Debug entries hold file offsets; moving the data under them would make them lie.
  if (size > pe.sizeOfHeaders && (pe.directories[PE_DIRECTORY_DEBUG]?.size ?? 0) > 0)
    throw new BootwrightError("UNSUPPORTED", "the EFI stub has debug data and no room for more section headers");
  return size;
}

interface Placed {
  readonly sections: readonly PeSection[];
  readonly end: number;
}

function placeOld(kept: readonly PeSection[], at: { headerSize: number; fileAlignment: number }): Placed {
  let end = at.headerSize;
  const sections = kept.map((section) => {
    if (section.rawSize === 0) return { ...section, rawOffset: 0 };
    const rawSize = alignUp(section.rawSize, at.fileAlignment);
    const placed = { ...section, rawOffset: end, rawSize };
    end += rawSize;
    return placed;
  });
  return { sections, end };
}

function placeNew(
  added: readonly NewSection[],
  at: { pe: PeFile; after: readonly PeSection[]; rawOffset: number },
): Placed {
  const last = at.after.at(-1)!;
  let address = last.virtualAddress + last.virtualSize;
  let end = at.rawOffset;
  const sections = added.map((section) => {
    if (!/^[\x21-\x7e]{1,8}$/.test(section.name)) throw new Error(`not a PE section name: ${section.name}`);
    if (section.size === 0) throw new Error(`PE section ${section.name} is empty`);
    const virtualSize = Math.max(section.size, section.virtualSize ?? 0);
    address = alignUp(address, at.pe.sectionAlignment);
    const rawSize = alignUp(section.size, at.pe.fileAlignment);
    const placed: PeSection = {
      name: section.name,
      virtualSize,
      virtualAddress: address,
      rawSize,
      rawOffset: end,
      characteristics: section.characteristics ?? PE_DATA,
      headerOffset: 0,
    };
    address += virtualSize;
    end += rawSize;
    if (address > 0xffff_0000 || end > 0xffff_0000)
      throw new BootwrightError(
        "LIMIT_EXCEEDED",
        `PE: section ${section.name} (${section.size} bytes) ends beyond 4 GiB`,
      );
    return placed;
  });
  return { sections, end };
}

function encodeHeader(
  stub: ByteSource,
  layout: { pe: PeFile; headerSize: number; sections: readonly PeSection[]; fresh: readonly PeSection[] },
): Buffer {
  const { pe, headerSize, sections, fresh } = layout;
  const head = Buffer.alloc(headerSize);
  head.set(readExactly(stub, { offset: 0, length: pe.sectionTableOffset, format: "EFI stub" }));
  const { coffOffset: coff, optionalOffset: optional } = pe;
  head.writeUInt16LE(sections.length, coff + 2);
  head.writeUInt32LE(0, coff + 4); // TimeDateStamp.
  head.writeUInt32LE(0, coff + 8); // The symbol table lay behind the sections and is not carried over.
  head.writeUInt32LE(0, coff + 12);
  const grown = fresh.reduce((sum, section) => sum + (section.characteristics === PE_CODE ? 0 : section.rawSize), 0);
  head.writeUInt32LE(head.readUInt32LE(optional + 8) + grown, optional + 8); // SizeOfInitializedData.
  const last = sections.at(-1)!;
  head.writeUInt32LE(alignUp(last.virtualAddress + last.virtualSize, pe.sectionAlignment), optional + 56);
  head.writeUInt32LE(headerSize, optional + 60);
  head.writeUInt32LE(0, optional + 64); // CheckSum: optional for EFI, and signing would change it.
  for (const [i, section] of sections.entries()) {
    const at = pe.sectionTableOffset + i * PE_SECTION_HEADER_SIZE;
    head.write(section.name, at, 8, "latin1");
    head.writeUInt32LE(section.virtualSize, at + 8);
    head.writeUInt32LE(section.virtualAddress, at + 12);
    head.writeUInt32LE(section.rawSize, at + 16);
    head.writeUInt32LE(section.rawOffset, at + 20);
    head.writeUInt32LE(section.characteristics >>> 0, at + 36);
  }
  return head;
}

function* contentOf(section: NewSection): Generator<Uint8Array> {
  let written = 0;
  for (const chunk of section.read()) {
    written += chunk.length;
    if (written > section.size) break;
    yield chunk;
  }
  if (written !== section.size)
    throw new Error(`PE section ${section.name}: wrote ${written} of ${section.size} bytes; the file is damaged`);
}
