/**
 * Takes exact amounts from a stream of chunks of any size. What is at hand is given without waiting and without copying,
 * because an archive of 57,000 small files passes here.
 */
import { formatError } from "./byte-reader.ts";

export type ByteChunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export class ByteStream {
  readonly #format: string;
  readonly #next: () => IteratorResult<Uint8Array> | Promise<IteratorResult<Uint8Array>>;
  #chunk: Uint8Array = new Uint8Array(0);
  #used = 0;
  #position = 0;
  #ended = false;

  constructor(source: ByteChunks, format: string) {
    this.#format = format;
    const iterator = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
    this.#next = () => iterator.next();
  }

  /** Bytes taken so far. */
  get position(): number {
    return this.#position;
  }

  /** `length` bytes when they are at hand, else undefined: then ask `read`. */
  takeBuffered(length: number): Uint8Array | undefined {
    if (this.#chunk.length - this.#used < length) return undefined;
    return this.#advance(length);
  }

  /** Exactly `length` bytes; undefined at the stream's end. Throws FORMAT_INVALID when it ends within them. */
  async read(length: number): Promise<Uint8Array | undefined> {
    const ready = this.takeBuffered(length);
    if (ready !== undefined) return ready;
    const start = this.#position;
    const parts: Uint8Array[] = [];
    let missing = length;
    while (missing > 0 && (await this.#fill())) {
      const part = this.#advance(Math.min(missing, this.#chunk.length - this.#used));
      parts.push(part);
      missing -= part.length;
    }
    if (missing === length && length > 0) return undefined;
    if (missing > 0) throw formatError(this.#format, start, `${length} bytes, but the data ends at ${this.#position}`);
    return Buffer.concat(parts);
  }

  /** The next `length` bytes as they come. Throws FORMAT_INVALID when the stream ends within them. */
  async *chunks(length: number): AsyncGenerator<Uint8Array> {
    let missing = length;
    while (missing > 0) {
      if (!(await this.#fill()))
        throw formatError(this.#format, this.#position, `${missing} more bytes, but the data ends`);
      const part = this.#advance(Math.min(missing, this.#chunk.length - this.#used));
      missing -= part.length;
      yield part;
    }
  }

  async skip(length: number): Promise<void> {
    if (this.takeBuffered(length) !== undefined) return;
    for await (const _ of this.chunks(length));
  }

  /** Reads to the end and drops it. */
  async drain(): Promise<void> {
    while (await this.#fill()) this.#advance(this.#chunk.length - this.#used);
  }

  async #fill(): Promise<boolean> {
    while (this.#used === this.#chunk.length) {
      if (this.#ended) return false;
      const result = await this.#next();
      if (result.done === true) {
        this.#ended = true;
        return false;
      }
      this.#chunk = result.value;
      this.#used = 0;
    }
    return true;
  }

  #advance(length: number): Uint8Array {
    const part = this.#chunk.subarray(this.#used, this.#used + length);
    this.#used += length;
    this.#position += length;
    return part;
  }
}
