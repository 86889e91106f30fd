/** The 512-byte tar header: ustar (POSIX.1-2008), GNU's variant and the old one without magic. */
import { pathFromBytes } from "../base/bytes.ts";
import { formatError } from "./byte-reader.ts";

export const TAR_BLOCK = 512;

export interface TarHeader {
  readonly dialect: "ustar" | "gnu" | "old";
  readonly typeflag: string;
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes that follow in the archive. */
  readonly size: number;
  /** Seconds since the epoch. */
  readonly mtime: number;
  readonly linkname: string;
  readonly uname: string;
  readonly gname: string;
  readonly major: number;
  readonly minor: number;
}

/** Throws FORMAT_INVALID for a wrong checksum or a field that is no number. `at` is the block's offset, for messages. */
export function parseTarHeader(block: Uint8Array, at: number): TarHeader {
  const expected = parseNumber(block, { from: 148, length: 8, at });
  const [unsigned, signed] = checksums(block);
  if (expected !== unsigned && expected !== signed) throw formatError("tar", at, "a header with a right checksum");
  const magic = Buffer.from(block.subarray(257, 265)).toString("latin1");
  const dialect = magic.startsWith("ustar\0") ? "ustar" : magic === "ustar  \0" ? "gnu" : "old";
  const name = text(block, 0, 100);
  const prefix = dialect === "ustar" ? text(block, 345, 155) : "";
  const number = (from: number, length: number) => parseNumber(block, { from, length, at });
  const modern = dialect !== "old";
  return {
    dialect,
    typeflag: String.fromCharCode(block[156]!),
    name: prefix === "" ? name : `${prefix}/${name}`,
    mode: number(100, 8) & 0o7777,
    uid: number(108, 8),
    gid: number(116, 8),
    size: number(124, 12),
    mtime: number(136, 12),
    linkname: text(block, 157, 100),
    uname: modern ? text(block, 265, 32) : "",
    gname: modern ? text(block, 297, 32) : "",
    major: modern ? number(329, 8) : 0,
    minor: modern ? number(337, 8) : 0,
  };
}

/** An octal field, or GNU's base-256 form (first bit set, big-endian two's complement). */
export function parseNumber(block: Uint8Array, field: { from: number; length: number; at: number }): number {
  const { from, length, at } = field;
  const first = block[from]!;
  if ((first & 0x80) !== 0) return parseBase256(block.subarray(from, from + length), at + from);
  const digits = Buffer.from(block.subarray(from, from + length))
    .toString("latin1")
    .replace(/^ +/, "");
  const end = /[\0 ]/.exec(digits)?.index ?? digits.length;
  const value = digits.slice(0, end);
  if (!/^[0-7]*$/.test(value)) throw formatError("tar", at + from, "an octal number");
  return value === "" ? 0 : Number.parseInt(value, 8);
}

export const isZeroBlock = (block: Uint8Array): boolean => {
  for (const byte of block) if (byte !== 0) return false;
  return true;
};

/** Sum over the header with its own field as spaces; some old writers added signed bytes. */
export function checksums(block: Uint8Array): [unsigned: number, signed: number] {
  let unsigned = 0;
  let high = 0;
  for (let i = 0; i < TAR_BLOCK; i++) {
    const byte = i >= 148 && i < 156 ? 0x20 : block[i]!;
    unsigned += byte;
    if (byte > 127) high++;
  }
  return [unsigned, unsigned - 256 * high];
}

function parseBase256(bytes: Uint8Array, at: number): number {
  const negative = (bytes[0]! & 0x40) !== 0;
  let value = negative ? -1n : 0n;
  for (const [i, byte] of bytes.entries())
    value = (value << 8n) | BigInt(i === 0 ? (byte & 0x7f) | (negative ? 0x80 : 0) : byte);
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw formatError("tar", at, "a number below 2^53");
  return number;
}

function text(block: Uint8Array, from: number, length: number): string {
  const field = block.subarray(from, from + length);
  const end = field.indexOf(0);
  return pathFromBytes(end < 0 ? field : field.subarray(0, end));
}
