/**
 * zstd on several threads through Node's own zlib, as one frame whose bytes do not depend on the number of threads.
 *
 * Node's stream loses data when worker threads are on and a write does not take all its input at once
 * (https://github.com/nodejs/node/issues/59899): the output is cut off without an error. The compressor does take all of
 * it when each write asks for a flush. So the input is gathered into batches that are large enough to keep the threads
 * busy, each is flushed, and the end is only announced when no write is open (else an empty frame may follow:
 * https://github.com/nodejs/node/issues/66078).
 */
import { setImmediate } from "node:timers/promises";
import { constants, createZstdCompress } from "node:zlib";

export interface ZstdOptions {
  /** 1…19. */
  readonly level: number;
  /** Threads; they change the speed, never the bytes. Default 4. */
  readonly workers?: number;
}

/** What one thread takes at a time, and what is flushed together. Both change the output's bytes. */
const JOB = 4 * 1024 * 1024;
const BATCH = 16 * 1024 * 1024;

/** Yields one zstd frame with a checksum. */
export async function* compressZstd(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  options: ZstdOptions,
): AsyncGenerator<Uint8Array> {
  const compressor = createZstdCompress({
    // A batch's output in one piece: each further piece is a turn of the event loop in which the threads have nothing to do.
    chunkSize: BATCH,
    flush: constants.ZSTD_e_flush,
    params: {
      [constants.ZSTD_c_compressionLevel]: options.level,
      [constants.ZSTD_c_checksumFlag]: 1,
      // One worker and none give different bytes, so there always is at least one.
      [constants.ZSTD_c_nbWorkers]: Math.max(1, options.workers ?? 4),
      [constants.ZSTD_c_jobSize]: JOB,
    },
  });
  const write = (batch: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      compressor.write(batch, (error) => (error ? reject(error) : resolve()));
    });
  const feed = async () => {
    let open: Promise<void> = Promise.resolve();
    for await (const batch of batches(chunks)) {
      await open;
      open = write(batch); // Runs on other threads while the next batch fills.
      open.catch(() => {}); // Awaited above or below; until then it must not count as unhandled.
    }
    await open;
    compressor.end();
  };
  const fed = feed();
  fed.catch((error) => compressor.destroy(error));
  try {
    yield* compressor;
    await fed;
  } finally {
    compressor.destroy();
  }
}

/** Batches of exactly BATCH bytes, the last one shorter. Two buffers take turns. */
async function* batches(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let filling: Buffer = Buffer.allocUnsafeSlow(BATCH);
  let other: Buffer | undefined;
  let used = 0;
  const take = (chunk: Uint8Array): Uint8Array => {
    const part = chunk.subarray(0, BATCH - used);
    filling.set(part, used);
    used += part.length;
    return chunk.subarray(part.length);
  };
  for await (const chunk of chunks) {
    // A synchronous source would keep the event loop from emptying the compressor's output, and its threads idle.
    await setImmediate();
    for (let rest = take(chunk); used === BATCH; rest = take(rest)) {
      yield filling;
      [filling, other] = [other ?? Buffer.allocUnsafeSlow(BATCH), filling];
      used = 0;
    }
  }
  if (used > 0) yield filling.subarray(0, used);
}
