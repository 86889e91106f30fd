/**
 * Names on FAT: long names as VFAT stores them (UCS-2, up to 255 units) and the 8.3 alias that each needs (Microsoft's
 * "FAT: General Overview of On-Disk Format", 1.03). Aliases depend on the order of the names only.
 */
import { BootwrightError } from "../base/errors.ts";

export interface FatName {
  /** 11 bytes: 8 of base, 3 of extension, padded with spaces. */
  readonly short: Uint8Array;
  /** Absent when the name is its own 8.3 form. */
  readonly long?: string;
}

const SHORT_FORM = /^([A-Z0-9!#$%&'()@^_`{}~-]{1,8})(?:\.([A-Z0-9!#$%&'()@^_`{}~-]{1,3}))?$/;
const NOT_SHORT = /[^A-Z0-9!#$%&'()@^_`{}~-]/g;

/** Throws UNSUPPORTED for characters that FAT cannot hold, LIMIT_EXCEEDED over 255 UCS-2 units. `path` stands in messages. */
export function checkFatName(name: string, path: string): void {
  const bad = /[\u0000-\u001f\u007f"*/:<>?\\|]/.exec(name)?.[0];
  if (bad !== undefined) throw unsupported(path, `the character ${JSON.stringify(bad)}`);
  if (!name.isWellFormed()) throw unsupported(path, "a name that is not UTF-8");
  if (/[. ]$/.test(name) || name.startsWith(" "))
    throw unsupported(path, "a name that starts or ends with a space, or ends with a dot");
  if (name.length > 255)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `FAT: ${path}: a name of ${name.length} UCS-2 units; the format holds 255`,
    );
}

/** Gives out aliases for the names of one directory. */
export class FatNamer {
  readonly #taken = new Set<string>();
  readonly #seen = new Map<string, string>();
  readonly #next = new Map<string, number>();

  /** Throws TREE_CONFLICT when a name differs from an earlier one in case only. */
  add(name: string, path: string): FatName {
    checkFatName(name, path);
    const folded = name.toUpperCase();
    const other = this.#seen.get(folded);
    if (other !== undefined)
      throw new BootwrightError(
        "TREE_CONFLICT",
        `FAT: ${path} and ${other} are one name there: upper and lower case are the same`,
      );
    this.#seen.set(folded, path);
    const exact = SHORT_FORM.exec(name);
    if (exact !== null && !this.#taken.has(name)) {
      this.#taken.add(name);
      return { short: shortBytes(exact[1]!, exact[2] ?? "") };
    }
    const { base, extension, lossy } = reduce(folded);
    const plain = extension === "" ? base : `${base}.${extension}`;
    if (!lossy && !this.#taken.has(plain)) {
      this.#taken.add(plain);
      return { short: shortBytes(base, extension), long: name };
    }
    const short = this.#numbered(base, extension);
    return { short, long: name };
  }

  #numbered(base: string, extension: string): Uint8Array {
    // The next free number is remembered by stem, or ten thousand like names would take a hundred million steps.
    const key = `${base.slice(0, 6)}.${extension}`;
    for (let n = this.#next.get(key) ?? 1; ; n++) {
      const tail = `~${n}`;
      const stem = base.slice(0, 8 - tail.length) + tail;
      const name = extension === "" ? stem : `${stem}.${extension}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      this.#next.set(key, n + 1);
      return shortBytes(stem, extension);
    }
  }
}

/** The checksum that ties long-name entries to their alias. */
export function shortNameChecksum(short: Uint8Array): number {
  let sum = 0;
  for (const byte of short) sum = (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff;
  return sum;
}

/** An 11-byte volume label. Throws LIMIT_EXCEEDED over 11 characters, UNSUPPORTED for what a label cannot hold. */
export function fatLabel(label: string): Uint8Array {
  const upper = label.toUpperCase();
  if (upper.length > 11)
    throw new BootwrightError("LIMIT_EXCEEDED", `FAT: the label "${label}" is longer than 11 characters`);
  if (!/^[A-Z0-9!#$%&'()@^_`{}~ -]*$/.test(upper)) throw unsupported(label, "such characters in a label");
  return Buffer.from(upper.padEnd(11), "latin1");
}

function reduce(upper: string): { base: string; extension: string; lossy: boolean } {
  const compact = upper.replaceAll(" ", "").replace(/^\.+/, "");
  const dot = compact.lastIndexOf(".");
  const rawBase = dot > 0 ? compact.slice(0, dot) : compact;
  const rawExtension = dot > 0 ? compact.slice(dot + 1) : "";
  const base = rawBase.replaceAll(".", "").replace(NOT_SHORT, "_");
  const extension = rawExtension.replace(NOT_SHORT, "_");
  const whole = extension === "" ? base : `${base}.${extension}`;
  return {
    base: base.slice(0, 8) || "_",
    extension: extension.slice(0, 3),
    lossy: base.length > 8 || extension.length > 3 || whole !== upper,
  };
}

const shortBytes = (base: string, extension: string): Uint8Array =>
  Buffer.from(base.padEnd(8) + extension.padEnd(3), "latin1");

const unsupported = (path: string, what: string): BootwrightError =>
  new BootwrightError("UNSUPPORTED", `FAT: ${path}: the format cannot hold ${what}`);
