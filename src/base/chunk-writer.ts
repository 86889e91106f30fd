/**
 * Writes chunks to a file, one behind the other. With several writes open at once, who makes the chunks (a compressor on
 * other threads) goes on meanwhile; the number of open writes bounds the memory.
 */
import type { FileHandle } from "node:fs/promises";

export class ChunkWriter {
  readonly #file: FileHandle;
  readonly #limit: number;
  readonly #open = new Set<Promise<void>>();
  #offset = 0;
  #error: unknown;

  /** `open`: writes at once; with more than one, a chunk must not be changed after it was given. */
  constructor(file: FileHandle, { open }: { open: number }) {
    this.#file = file;
    this.#limit = open;
  }

  /** Resolves when the next chunk may come. Throws what this or an earlier write threw. */
  async write(chunk: Uint8Array): Promise<void> {
    const writing = this.#writeAt(chunk, this.#offset)
      .catch((error: unknown) => {
        this.#error ??= error;
      })
      .finally(() => this.#open.delete(writing));
    this.#offset += chunk.length;
    this.#open.add(writing);
    while (this.#open.size >= this.#limit) await Promise.race(this.#open);
    this.#check();
  }

  /** Waits for all writes. Throws what one of them threw. */
  async end(): Promise<void> {
    await this.settle();
    this.#check();
  }

  /** Waits for all writes, whatever comes of them: before the file is closed. */
  async settle(): Promise<void> {
    await Promise.all(this.#open);
  }

  #check(): void {
    if (this.#error !== undefined) throw this.#error;
  }

  async #writeAt(chunk: Uint8Array, offset: number): Promise<void> {
    for (let done = 0; done < chunk.length; )
      done += (await this.#file.write(chunk, done, chunk.length - done, offset + done)).bytesWritten;
  }
}
