/**
 * Bounds-checked reads of binary structures that came from outside. Every read that leaves the bytes throws
 * FORMAT_INVALID with the format's name and the offset, so that no parser needs its own length checks.
 */
import { BootwrightError } from "../base/errors.ts";

/** FORMAT_INVALID: what was read (`format`), where (`offset` in bytes), and what was expected there. */
export const formatError = (format: string, offset: number, expected: string): BootwrightError =>
  new BootwrightError("FORMAT_INVALID", `${format}: offset ${offset}: expected ${expected}`);

export class ByteReader {
  readonly bytes: Uint8Array;
  readonly format: string;
  readonly littleEndian: boolean;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, options: { format: string; littleEndian?: boolean }) {
    this.bytes = bytes;
    this.format = options.format;
    this.littleEndian = options.littleEndian ?? true;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get length(): number {
    return this.bytes.length;
  }

  u8(at: number): number {
    this.#check(at, 1);
    return this.#view.getUint8(at);
  }

  u16(at: number): number {
    this.#check(at, 2);
    return this.#view.getUint16(at, this.littleEndian);
  }

  u32(at: number): number {
    this.#check(at, 4);
    return this.#view.getUint32(at, this.littleEndian);
  }

  /** Numbers above 2^53 − 1 are no offset or size of a real file: FORMAT_INVALID. */
  u64(at: number): number {
    this.#check(at, 8);
    const value = this.#view.getBigUint64(at, this.littleEndian);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.error(at, "a number below 2^53");
    return Number(value);
  }

  /** A view, not a copy. */
  slice(at: number, length: number): Uint8Array {
    this.#check(at, length);
    return this.bytes.subarray(at, at + length);
  }

  /** Bytes up to a NUL, as Latin-1; the NUL must come within `limit` bytes (default 4096). */
  cString(at: number, limit = 4096): string {
    this.#check(at, 1);
    const end = this.bytes.subarray(at, at + limit).indexOf(0);
    if (end < 0) throw this.error(at, `a NUL-terminated string of at most ${limit} bytes`);
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + at, end).toString("latin1");
  }

  error(offset: number, expected: string): BootwrightError {
    return formatError(this.format, offset, expected);
  }

  #check(at: number, length: number): void {
    if (!(at >= 0 && length >= 0 && at + length <= this.bytes.length))
      throw this.error(at, `${length} bytes, but the data ends at ${this.bytes.length}`);
  }
}
