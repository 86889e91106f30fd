/**
 * Gathers writes that rise through an image into chunks of about 1 MiB and leaves out what is zero: gaps and runs of
 * zeros over 64 KiB become holes. As in chunk-batcher.ts, pieces of 256 KiB and more pass through uncopied, smaller ones
 * are copied before `write` returns. Unlike there, one buffer serves all chunks: a fresh one for each MiB of a root disk
 * waits for the garbage collector by the hundred.
 */
import type { SparseWrite } from "./sparse-write.ts";

const BATCH = 1024 * 1024;
const PASS_THROUGH = 256 * 1024;
/** A smaller hole saves less than a second write costs. */
const LEAST_HOLE = 64 * 1024;
const STEP = 4096;
const ZEROS = Buffer.alloc(STEP);

/** The bytes of a chunk are good until the next is asked for. */
export class SparseBatcher {
  readonly #buffer = Buffer.allocUnsafeSlow(BATCH);
  #used = 0;
  /** Where the buffer's first byte goes. */
  #start = 0;
  /** Where the next byte goes; ahead of the buffer's end by zeros that are not written yet. */
  #position = 0;

  seek(offset: number): void {
    if (offset < this.#position) throw new Error(`image write at ${offset} after ${this.#position}: out of order`);
    this.#position = offset;
  }

  *write(bytes: Uint8Array): Generator<SparseWrite> {
    const start = this.#position;
    for (const { from, to } of dataRuns(bytes)) {
      this.#position = start + from;
      yield* this.#data(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
    }
    this.#position = start + bytes.length;
  }

  *flush(): Generator<SparseWrite> {
    if (this.#used === 0) return;
    yield { offset: this.#start, bytes: this.#buffer.subarray(0, this.#used) };
    this.#start += this.#used;
    this.#used = 0;
  }

  *#data(bytes: Uint8Array): Generator<SparseWrite> {
    const gap = this.#position - this.#start - this.#used;
    if (
      this.#used === 0 ||
      gap > LEAST_HOLE ||
      this.#used + gap + bytes.length > BATCH ||
      bytes.length >= PASS_THROUGH
    ) {
      yield* this.flush();
      this.#start = this.#position;
    } else {
      this.#buffer.fill(0, this.#used, this.#used + gap);
      this.#used += gap;
    }
    this.#position += bytes.length;
    if (bytes.length >= PASS_THROUGH) {
      yield { offset: this.#start, bytes };
      this.#start = this.#position;
      return;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }
}

/** What is to be written of `bytes`: all but zeros at the start and runs of them over 64 KiB. Each begins at a multiple of 4 KiB. */
export function* dataRuns(bytes: Uint8Array): Generator<{ readonly from: number; readonly to: number }> {
  for (let from = zerosFrom(bytes, 0); from < bytes.length; ) {
    const to = dataFrom(bytes, from);
    yield { from, to };
    from = zerosFrom(bytes, to);
  }
}

/** The end of the zeros that begin at `from`, in steps; a short run does not count. */
function zerosFrom(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length && isZero(bytes, at)) at = Math.min(bytes.length, at + STEP);
  return at;
}

/** The end of the data that begins at `from`: where zeros of some length begin. */
function dataFrom(bytes: Uint8Array, from: number): number {
  let at = from;
  while (at < bytes.length) {
    if (isZero(bytes, at)) {
      const end = zerosFrom(bytes, at);
      if (end - at > LEAST_HOLE || end === bytes.length) return at;
      at = end;
    } else at += STEP;
  }
  return bytes.length;
}

function isZero(bytes: Uint8Array, at: number): boolean {
  const end = Math.min(bytes.length, at + STEP);
  // Two looks settle nearly all data without a comparison.
  if (bytes[at] !== 0 || bytes[end - 1] !== 0) return false;
  return Buffer.compare(end - at === STEP ? ZEROS : ZEROS.subarray(0, end - at), bytes.subarray(at, end)) === 0;
}
