import type { FileContent } from "./filetree.ts";

/** What an image writer yields: only the ranges that hold data, in rising order, so that free space stays a hole in the file. */
export interface SparseWrite {
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** A range of an image that is a range of a content: whoever has the content need not have it copied. */
export interface ContentRange {
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly content: FileContent;
  /** Where in the content the range begins. */
  readonly from: number;
  /** Bytes. */
  readonly length: number;
}

/** What an image writer yields to who takes contents by reference. */
export type ImagePiece = SparseWrite | ContentRange;

/** For who takes bytes only: of a writer that was told to refer to nothing. */
export function* bytesOnly(pieces: Iterable<ImagePiece>): Generator<SparseWrite> {
  for (const piece of pieces) {
    if (!("bytes" in piece)) throw new Error("a content is referred to where its bytes are wanted");
    yield piece;
  }
}

const ZEROS = new Uint8Array(1024 * 1024);

/** The image as one stream of `size` bytes, holes as zeros: for pipes and for hashing. */
export function* fillHoles(writes: Iterable<SparseWrite>, size: number): Generator<Uint8Array> {
  let at = 0;
  for (const { offset, bytes } of writes) {
    if (offset < at || offset + bytes.length > size)
      throw new Error(`image write at ${offset} is out of order or range`);
    yield* zeros(offset - at);
    yield bytes;
    at = offset + bytes.length;
  }
  yield* zeros(size - at);
}

function* zeros(count: number): Generator<Uint8Array> {
  for (let left = count; left > 0; left -= ZEROS.length) yield left < ZEROS.length ? ZEROS.subarray(0, left) : ZEROS;
}
