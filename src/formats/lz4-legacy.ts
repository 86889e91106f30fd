/**
 * Reads LZ4's legacy frame (lz4_Frame_format.md, "Legacy frame"; lz4_Block_format.md), which the kernel packs itself with:
 * a magic number, then blocks of at most 8 MiB unpacked, each behind its packed size.
 */
import { BootwrightError } from "../base/errors.ts";

const MAGIC = 0x184c_2102;
const MAX_BLOCK = 8 * 1024 * 1024;
const MIN_MATCH = 4;

export const isLz4Legacy = (bytes: Uint8Array): boolean =>
  bytes.length >= 4 && Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32LE() === MAGIC;

/** Block by block. Throws FORMAT_INVALID for damaged data. */
export function* decodeLz4Legacy(bytes: Uint8Array, what: string): Generator<Buffer> {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (!isLz4Legacy(source)) throw damaged(what, "no legacy frame");
  for (let at = 4; at < source.length; ) {
    if (at + 4 > source.length) throw damaged(what, "truncated");
    const size = source.readUInt32LE(at);
    at += 4;
    if (size === MAGIC) continue; // Frames may follow each other.
    if (size === 0 || at + size > source.length) throw damaged(what, `a block of ${size} bytes at ${at}`);
    yield decodeBlock(source.subarray(at, at + size), what);
    at += size;
  }
}

function decodeBlock(source: Buffer, what: string): Buffer {
  const out = Buffer.allocUnsafe(MAX_BLOCK);
  let from = 0;
  let to = 0;
  const length = (nibble: number): number => {
    let sum = nibble;
    if (nibble !== 15) return sum;
    for (;;) {
      const byte = source[from++];
      if (byte === undefined) throw damaged(what, "truncated");
      sum += byte;
      if (byte !== 255) return sum;
    }
  };
  while (from < source.length) {
    const token = source[from++]!;
    const literals = length(token >> 4);
    if (from + literals > source.length || to + literals > MAX_BLOCK) throw damaged(what, "literals past the end");
    source.copy(out, to, from, from + literals);
    from += literals;
    to += literals;
    if (from === source.length) break; // The last sequence has no match.
    if (from + 2 > source.length) throw damaged(what, "truncated");
    const offset = source.readUInt16LE(from);
    from += 2;
    const match = length(token & 15) + MIN_MATCH;
    if (offset === 0 || offset > to || to + match > MAX_BLOCK) throw damaged(what, "a match past the start or end");
    if (offset >= match) out.copyWithin(to, to - offset, to - offset + match);
    else for (let i = 0; i < match; i++) out[to + i] = out[to - offset + i]!; // It repeats what it writes.
    to += match;
  }
  return out.subarray(0, to);
}

const damaged = (what: string, why: string): BootwrightError =>
  new BootwrightError("FORMAT_INVALID", `${what}: damaged lz4 data: ${why}`);
