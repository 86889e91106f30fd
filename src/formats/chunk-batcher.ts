/**
 * Gathers many small writes (headers, padding, small files) into chunks of about 1 MiB, because a stream pays for each
 * chunk. Chunks of 256 KiB and more pass through uncopied, so a source must not reuse their buffers; smaller ones are
 * copied before `write` returns, so a reader of many small files may hand out one buffer again and again.
 */

const BATCH = 1024 * 1024;
const PASS_THROUGH = 256 * 1024;

export class ChunkBatcher {
  #buffer = Buffer.allocUnsafeSlow(BATCH);
  #used = 0;
  #position = 0;

  /** Bytes written so far. */
  get position(): number {
    return this.#position;
  }

  /** Room for `length` (≤ 1 MiB) bytes that the caller fills in place; the full batch before it is yielded. */
  *reserve(length: number): Generator<Uint8Array, Buffer> {
    if (this.#used + length > BATCH) yield* this.flush();
    const room = this.#buffer.subarray(this.#used, this.#used + length);
    this.#used += length;
    this.#position += length;
    return room;
  }

  *write(bytes: Uint8Array): Generator<Uint8Array> {
    if (bytes.length >= PASS_THROUGH) {
      yield* this.flush();
      this.#position += bytes.length;
      yield bytes;
      return;
    }
    if (this.#used + bytes.length > BATCH) yield* this.flush();
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
    this.#position += bytes.length;
  }

  /** Zeros up to the next multiple of `alignment` (≤ 1 MiB). */
  *pad(alignment: number): Generator<Uint8Array> {
    const rest = this.#position % alignment;
    if (rest !== 0) (yield* this.reserve(alignment - rest)).fill(0);
  }

  *flush(): Generator<Uint8Array> {
    if (this.#used === 0) return;
    const full = this.#buffer.subarray(0, this.#used);
    this.#buffer = Buffer.allocUnsafeSlow(BATCH); // The old one now belongs to whoever gets the chunk.
    this.#used = 0;
    yield full;
  }
}
