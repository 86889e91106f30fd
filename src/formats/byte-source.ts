/**
 * Random access to bytes that may be a whole disk image: a reader asks for the few ranges it needs. The codecs stay
 * without a file system; whoever has a file wraps it in this shape.
 */
import { formatError } from "./byte-reader.ts";

export interface ByteSource {
  /** Bytes. */
  readonly size: number;
  /** May return fewer bytes only when the range leaves the source. They may stand in `into` when that holds them all. */
  read(offset: number, length: number, into?: Buffer): Uint8Array;
}

/** A source over bytes in memory; reads are views. */
export const sourceOfBytes = (bytes: Uint8Array): ByteSource => ({
  size: bytes.length,
  read: (offset, length) => bytes.subarray(offset, offset + length),
});

export interface SourceRange {
  readonly offset: number;
  readonly length: number;
  /** What is read, for errors. */
  readonly format: string;
  /** Room of the caller's for what is read: it is good until the room is used again. */
  readonly buffer?: Buffer;
}

/** Reads exactly `length` bytes. Throws FORMAT_INVALID when the source is shorter, before anything is allocated. */
export function readExactly(source: ByteSource, range: SourceRange): Uint8Array {
  const { offset, length, format, buffer } = range;
  if (!(offset >= 0 && length >= 0 && offset + length <= source.size))
    throw formatError(format, offset, `${length} bytes, but the data ends at ${source.size}`);
  const bytes = source.read(offset, length, buffer);
  if (bytes.length !== length) throw formatError(format, offset, `${length} bytes, but only ${bytes.length} were read`);
  return bytes;
}

/** The range in chunks of at most 1 MiB, or of the size of its buffer. */
export function* readChunks(source: ByteSource, range: SourceRange): Generator<Uint8Array> {
  const end = range.offset + range.length;
  const step = range.buffer?.length ?? CHUNK;
  for (let at = range.offset; at < end; at += step)
    yield readExactly(source, { ...range, offset: at, length: Math.min(step, end - at) });
}

/** A part of a source as a source. Throws FORMAT_INVALID when it leaves the whole. */
export function sliceSource(source: ByteSource, range: { offset: number; size: number; format: string }): ByteSource {
  const { offset, size, format } = range;
  if (!(offset >= 0 && size >= 0 && offset + size <= source.size))
    throw formatError(format, offset, `${size} bytes, but the data ends at ${source.size}`);
  return { size, read: (at, length, into) => source.read(offset + at, Math.max(0, Math.min(length, size - at)), into) };
}

const CHUNK = 1024 * 1024;
