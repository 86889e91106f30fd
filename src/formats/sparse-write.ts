/** What an image writer yields: only the ranges that hold data, in rising order, so that free space stays a hole in the file. */
export interface SparseWrite {
  /** Bytes from the start of the image. */
  readonly offset: number;
  readonly bytes: Uint8Array;
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
