/** Directory entries of FAT: 32-byte slots, long names in slots before the alias. Dates are UTC, to two seconds. */
import { BootwrightError } from "../base/errors.ts";
import { type FatName, shortNameChecksum } from "./fat-names.ts";

export const FAT_SLOT = 32;
export const FAT_DIRECTORY = 0x10;
export const FAT_FILE = 0x20; // The archive bit, as every other writer sets it.
export const FAT_LABEL = 0x08;
export const FAT_LONG_NAME = 0x0f;
/** UTF-16 units in one long-name slot, by byte position. */
export const FAT_LONG_UNITS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const;

export interface FatTime {
  readonly date: number;
  readonly time: number;
}

export interface FatSlot {
  readonly name: FatName;
  readonly attributes: number;
  /** 0 for empty files, and for `..` of directories at the top. */
  readonly cluster: number;
  /** Bytes; 0 for directories. */
  readonly size: number;
}

/** Throws LIMIT_EXCEEDED for times before 1980 or after 2107. */
export function fatTime(epoch: number): FatTime {
  const at = new Date(epoch * 1000);
  const year = at.getUTCFullYear();
  if (!(year >= 1980 && year <= 2107))
    throw new BootwrightError("LIMIT_EXCEEDED", `FAT: time ${epoch}: the format holds the years 1980 to 2107`);
  return {
    date: ((year - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
  };
}

/** How many slots the name takes. */
export const fatSlotCount = (name: FatName): number =>
  1 + (name.long === undefined ? 0 : Math.ceil(name.long.length / FAT_LONG_UNITS.length));

/** Writes the entry at `at`; returns the offset behind it. */
export function writeFatSlot(out: Buffer, at: number, entry: FatSlot & { readonly stamp: FatTime }): number {
  const { name, stamp } = entry;
  let position = at;
  if (name.long !== undefined) position = writeLongName(out, at, name);
  out.set(name.short, position);
  out[position + 11] = entry.attributes;
  out.writeUInt16LE(stamp.time, position + 14);
  out.writeUInt16LE(stamp.date, position + 16);
  out.writeUInt16LE(stamp.date, position + 18);
  out.writeUInt16LE(entry.cluster >>> 16, position + 20);
  out.writeUInt16LE(stamp.time, position + 22);
  out.writeUInt16LE(stamp.date, position + 24);
  out.writeUInt16LE(entry.cluster & 0xffff, position + 26);
  out.writeUInt32LE(entry.size, position + 28);
  return position + FAT_SLOT;
}

function writeLongName(out: Buffer, at: number, name: FatName): number {
  const long = name.long!;
  const checksum = shortNameChecksum(name.short);
  const per = FAT_LONG_UNITS.length;
  const slots = Math.ceil(long.length / per);
  for (let i = 0; i < slots; i++) {
    const slot = slots - i; // The name's end comes first.
    const position = at + i * FAT_SLOT;
    out[position] = slot | (i === 0 ? 0x40 : 0);
    out[position + 11] = FAT_LONG_NAME;
    out[position + 13] = checksum;
    for (let unit = 0; unit < per; unit++) {
      const index = (slot - 1) * per + unit;
      // One NUL ends the name when there is room, then 0xFFFF fills.
      const value = index < long.length ? long.charCodeAt(index) : index === long.length ? 0 : 0xffff;
      out.writeUInt16LE(value, position + FAT_LONG_UNITS[unit]!);
    }
  }
  return at + slots * FAT_SLOT;
}
