/** What a program needs to run: its interpreter and shared libraries (PT_INTERP, DT_NEEDED). */
import { type ElfFile, wordReader } from "./elf.ts";

export interface ElfDynamic {
  /** "/lib64/ld-linux-x86-64.so.2"; absent for static programs. */
  readonly interpreter?: string;
  readonly needed: readonly string[];
  readonly soname?: string;
  /** DT_RUNPATH, else DT_RPATH, split at colons. */
  readonly runpath: readonly string[];
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const DT_SONAME = 14;
const DT_RPATH = 15;
const DT_RUNPATH = 29;

/** Throws FORMAT_INVALID when the dynamic section points out of the file. */
export function readElfDynamic(elf: ElfFile): ElfDynamic {
  const { reader } = elf;
  const segment = (type: number) => elf.segments.find((candidate) => candidate.type === type);
  const interp = segment(PT_INTERP);
  const tags = readTags(elf, segment(PT_DYNAMIC));
  const table = tags.find(([tag]) => tag === DT_STRTAB);
  const stringAt = (offset: number): string => reader.cString(fileOffset(elf, table?.[1] ?? 0) + offset);
  const strings = (wanted: number) => tags.filter(([tag]) => tag === wanted).map(([, value]) => stringAt(value));
  const soname = strings(DT_SONAME)[0];
  const runpath = strings(DT_RUNPATH)[0] ?? strings(DT_RPATH)[0];
  return {
    ...(interp === undefined ? {} : { interpreter: reader.cString(interp.offset, Math.min(interp.size, 4096)) }),
    needed: strings(DT_NEEDED),
    ...(soname === undefined ? {} : { soname }),
    runpath: runpath === undefined ? [] : runpath.split(":").filter((part) => part !== ""),
  };
}

function readTags(elf: ElfFile, dynamic: { offset: number; size: number } | undefined): [tag: number, value: number][] {
  if (dynamic === undefined) return [];
  const word = elf.bits / 8;
  const read = wordReader(elf.reader, elf.bits === 64);
  const tags: [number, number][] = [];
  for (let at = dynamic.offset; at + 2 * word <= dynamic.offset + dynamic.size; at += 2 * word) {
    // Values of tags that are not read here may be any 64-bit pattern, so only the tag's low half is looked at first.
    const tag = elf.reader.u32(elf.littleEndian || word === 4 ? at : at + 4);
    if (tag === 0) break;
    if (WANTED.has(tag)) tags.push([tag, read(at + word)]);
  }
  return tags;
}

const WANTED = new Set([DT_NEEDED, DT_STRTAB, DT_SONAME, DT_RPATH, DT_RUNPATH]);

function fileOffset(elf: ElfFile, address: number): number {
  const load = elf.segments.find(
    (segment) => segment.type === PT_LOAD && address >= segment.address && address < segment.address + segment.size,
  );
  if (load === undefined) throw elf.reader.error(0, "the dynamic string table inside a loaded segment");
  return load.offset + (address - load.address);
}
