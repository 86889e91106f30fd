/**
 * Reads newc cpio as strictly as the kernel's own unpacker does (init/initramfs.c): magic, hexadecimal fields, names
 * with their NUL, padding, the trailer. Several segments may follow each other with zeros between, as in an initramfs.
 */
import { pathFromBytes } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatError } from "./byte-reader.ts";
import { safePath } from "./filetree.ts";
import { NEWC_HEADER_SIZE, NEWC_PATH_MAX, NEWC_TRAILER } from "./newc.ts";

export interface NewcEntry {
  /** As in filetree.ts; "" is the root. */
  readonly path: string;
  readonly type: "file" | "directory" | "symlink" | "char" | "block" | "fifo" | "socket";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly inode: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  /** Symlinks only. */
  readonly target?: string;
  readonly major: number;
  readonly minor: number;
  /** Where the content starts in the given bytes, and its length. */
  readonly offset: number;
  readonly size: number;
  /** Which archive of several it belongs to, from 0. */
  readonly segment: number;
}

export interface NewcReadResult {
  readonly entries: readonly NewcEntry[];
  /** Bytes read, padding included; less than the input's length when something else (a compressed segment) follows. */
  readonly end: number;
}

/**
 * Reads all segments at the start of `bytes`. Throws FORMAT_INVALID for damage, PATH_UNSAFE for names that leave the tree
 * (absolute, `..`) and for a file named twice in one segment.
 */
export function readNewc(bytes: Uint8Array): NewcReadResult {
  const entries: NewcEntry[] = [];
  let at = skipZeros(bytes, 0);
  let segment = 0;
  while (hasMagic(bytes, at)) {
    const names = new Set<string>();
    for (;;) {
      const header = readHeader(bytes, at);
      at = header.next;
      if (header.rawName === NEWC_TRAILER) break;
      const entry = toEntry(header, bytes, segment);
      if (entry.type !== "directory" && names.has(entry.path))
        throw new BootwrightError("PATH_UNSAFE", `newc: offset ${header.at}: ${entry.path} is there twice`);
      names.add(entry.path);
      entries.push(entry);
    }
    segment++;
    at = skipZeros(bytes, at);
  }
  if (segment === 0) throw formatError("newc", at, `the magic 070701, found ${printHead(bytes, at)}`);
  return { entries, end: at };
}

interface RawHeader {
  readonly at: number;
  readonly fields: readonly number[];
  readonly rawName: string;
  readonly name: Uint8Array;
  readonly dataOffset: number;
  readonly size: number;
  readonly next: number;
}

const TYPES: Readonly<Record<number, NewcEntry["type"]>> = {
  8: "file",
  4: "directory",
  10: "symlink",
  2: "char",
  6: "block",
  1: "fifo",
  12: "socket",
};

function readHeader(bytes: Uint8Array, at: number): RawHeader {
  if (!hasMagic(bytes, at)) throw formatError("newc", at, `the magic 070701, found ${printHead(bytes, at)}`);
  const head = slice(bytes, { at, length: NEWC_HEADER_SIZE, what: "a header" });
  const fields: number[] = [];
  for (let i = 0; i < 13; i++) fields.push(hexField(head, 6 + i * 8, at));
  const nameSize = fields[11]!;
  if (nameSize < 1 || nameSize > NEWC_PATH_MAX)
    throw formatError("newc", at + 94, `a name of 1…${NEWC_PATH_MAX} bytes, found ${nameSize}`);
  const nameAt = at + NEWC_HEADER_SIZE;
  const name = slice(bytes, { at: nameAt, length: nameSize, what: "a name" });
  if (name.indexOf(0) !== nameSize - 1) throw formatError("newc", nameAt, "a name that ends with its only NUL");
  const dataOffset = align4(nameAt + nameSize);
  const size = fields[6]!;
  slice(bytes, { at: dataOffset, length: size, what: "content" });
  // The last member's padding may be cut off: nothing is lost with it.
  const next = Math.min(align4(dataOffset + size), bytes.length);
  const text = name.subarray(0, -1);
  return { at, fields, name: text, rawName: Buffer.from(text).toString("latin1"), dataOffset, size, next };
}

function toEntry(header: RawHeader, bytes: Uint8Array, segment: number): NewcEntry {
  const { fields, at, size, dataOffset } = header;
  const type = TYPES[fields[1]! >>> 12];
  if (type === undefined) throw formatError("newc", at + 14, `a file type, found mode ${fields[1]!.toString(8)}`);
  const hasContent = type === "file" || type === "symlink";
  if (size > 0 && !hasContent) throw formatError("newc", at + 54, `no content for a ${type}, found ${size} bytes`);
  if (type === "symlink" && (size === 0 || size >= NEWC_PATH_MAX))
    throw formatError("newc", at + 54, `a symlink target of 1…${NEWC_PATH_MAX - 1} bytes, found ${size}`);
  const target = type === "symlink" ? pathFromBytes(bytes.subarray(dataOffset, dataOffset + size)) : undefined;
  if (target?.includes("\0")) throw formatError("newc", dataOffset, "a symlink target without NUL");
  return {
    path: safePath(pathFromBytes(header.name), `newc: offset ${at}`),
    type,
    mode: fields[1]! & 0o7777,
    uid: fields[2]!,
    gid: fields[3]!,
    nlink: fields[4]!,
    inode: fields[0]!,
    mtime: fields[5]!,
    ...(target === undefined ? {} : { target }),
    major: fields[9]!,
    minor: fields[10]!,
    offset: dataOffset,
    size,
    segment,
  };
}

function slice(bytes: Uint8Array, range: { at: number; length: number; what: string }): Uint8Array {
  const { at, length, what } = range;
  if (at + length > bytes.length)
    throw formatError("newc", at, `${what} of ${length} bytes, but the data ends at ${bytes.length}`);
  return bytes.subarray(at, at + length);
}

function hexField(head: Uint8Array, from: number, at: number): number {
  let value = 0;
  for (let i = from; i < from + 8; i++) {
    const c = head[i]!;
    const digit = c >= 48 && c <= 57 ? c - 48 : c >= 65 && c <= 70 ? c - 55 : c >= 97 && c <= 102 ? c - 87 : -1;
    if (digit < 0) throw formatError("newc", at + i, "a hexadecimal digit");
    value = value * 16 + digit;
  }
  return value;
}

const MAGIC = Buffer.from("070701");

function hasMagic(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < MAGIC.length; i++) if (bytes[at + i] !== MAGIC[i]) return false;
  return true;
}

function skipZeros(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && bytes[at] === 0) at++;
  return at;
}

const align4 = (value: number): number => Math.ceil(value / 4) * 4;

const printHead = (bytes: Uint8Array, at: number): string =>
  at >= bytes.length ? "the end" : Buffer.from(bytes.subarray(at, at + 6)).toString("hex");
