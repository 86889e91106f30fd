/** Decompression of byte streams by their first bytes: gzip, zstd, xz; anything else passes as it is. */
import { Readable, type Transform } from "node:stream";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { BootwrightError, isBootwrightError, messageOf } from "../base/errors.ts";

export type CompressionFormat = "gzip" | "zstd" | "xz" | "none";

export function detectCompression(head: Uint8Array): CompressionFormat {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  if (head[0] === 0x28 && head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd) return "zstd";
  if (Buffer.from(head.subarray(0, 6)).equals(Buffer.from("fd377a585a00", "hex"))) return "xz";
  return "none";
}

export interface DecompressOptions {
  readonly what: string;
  /** Bytes. */
  readonly maxSize?: number;
  /** Up to three zeros may follow, as behind each segment of an initramfs. */
  readonly padded?: boolean;
}

/** Throws FORMAT_INVALID when the stream is damaged, LIMIT_EXCEEDED when it unpacks to more than `maxSize` bytes. */
export async function* decompress(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: DecompressOptions,
): AsyncGenerator<Uint8Array> {
  const { what, maxSize = 64 * 2 ** 30, padded = false } = options;
  const { head, rest } = await peek(chunks);
  const format = detectCompression(head);
  let size = 0;
  try {
    for await (const chunk of decoder(format, rest, padded)) {
      size += chunk.length;
      if (size > maxSize) throw new BootwrightError("LIMIT_EXCEEDED", `${what}: unpacks to more than ${maxSize} bytes`);
      yield chunk;
    }
  } catch (error) {
    if (isBootwrightError(error) || format === "none") throw error;
    throw new BootwrightError("FORMAT_INVALID", `${what}: damaged ${format} data: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function* decoder(
  format: CompressionFormat,
  chunks: AsyncIterable<Uint8Array>,
  padded: boolean,
): AsyncGenerator<Uint8Array> {
  switch (format) {
    case "gzip":
      return yield* through(chunks, createGunzip({ chunkSize: 256 * 1024 }));
    case "zstd":
      return yield* oneFrame(padded ? withoutShortEnd(chunks) : chunks, padded ? MOST_PADDING : 0);
    case "xz": {
      const { XzReadableStream } = (await import("xz-decompress")).default;
      const web = Readable.toWeb(Readable.from(chunks, { objectMode: false })) as ConstructorParameters<
        typeof XzReadableStream
      >[0];
      const reader = new XzReadableStream(web).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        yield value;
      }
    }
    default:
      return yield* chunks;
  }
}

/** Node's stream silently stops at the end of the first frame (https://github.com/nodejs/node/issues/64741): say so instead. */
async function* oneFrame(chunks: AsyncIterable<Uint8Array>, padding: number): AsyncGenerator<Uint8Array> {
  let fed = 0;
  let whole = false;
  let last: Uint8Array = new Uint8Array(0);
  const counted = async function* () {
    for await (const chunk of chunks) {
      fed += chunk.length;
      last = chunk;
      yield chunk;
    }
    whole = true;
  };
  const decompressor = createZstdDecompress({ chunkSize: 256 * 1024 });
  yield* through(counted(), decompressor);
  const behind = fed - decompressor.bytesWritten;
  if (!whole || behind > padding || last.subarray(last.length - behind).some((byte) => byte !== 0))
    throw new Error("more data behind the first frame");
}

const MOST_PADDING = 3;

/** The same bytes, with no chunk at the end that could be padding alone: the decompressor would not ask for it. */
async function* withoutShortEnd(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array = new Uint8Array(0);
  for await (const chunk of chunks) {
    if (chunk.length > MOST_PADDING && held.length > 0) yield held;
    held = chunk.length > MOST_PADDING ? chunk : Buffer.concat([held, chunk]);
  }
  if (held.length > 0) yield held;
}

async function* through(chunks: AsyncIterable<Uint8Array>, transform: Transform): AsyncGenerator<Uint8Array> {
  const source = Readable.from(chunks, { objectMode: false });
  source.on("error", (error) => transform.destroy(error));
  try {
    yield* source.pipe(transform);
  } finally {
    source.destroy();
    transform.destroy();
  }
}

async function peek(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ head: Uint8Array; rest: AsyncIterable<Uint8Array> }> {
  const iterator = toAsync(chunks);
  let head = Buffer.alloc(0);
  let done = false;
  while (head.length < 6 && !done) {
    const next = await iterator.next();
    if (next.done) done = true;
    else head = Buffer.concat([head, next.value]);
  }
  const rest = async function* () {
    if (head.length > 0) yield head;
    if (!done) yield* iterator;
  };
  return { head, rest: rest() };
}

async function* toAsync(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
