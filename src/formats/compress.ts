/** Compression of byte streams, with fixed settings so that the same input gives the same bytes. */
import { pipeline, Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { compressZstd } from "./zstd.ts";

export interface CompressOptions {
  readonly kind: "gzip" | "zstd";
  readonly level: number;
  /** Bytes, when known; only a hint for buffers. */
  readonly size?: number;
}

export function compress(chunks: Iterable<Uint8Array>, { kind, level }: CompressOptions): AsyncIterable<Uint8Array> {
  return kind === "zstd" ? compressZstd(chunks, { level }) : compressGzip(chunks, level);
}

/** Starts when it is read from: an error of `chunks` before that would have nobody to hear it. */
async function* compressGzip(chunks: Iterable<Uint8Array>, level: number): AsyncGenerator<Uint8Array> {
  const source = Readable.from(chunks, { objectMode: false, highWaterMark: 1024 * 1024 });
  // Node writes no name and no time (RFC 1952 MTIME 0); the operating system byte is zlib's fixed 3.
  const compressor = createGzip({ chunkSize: 256 * 1024, level });
  yield* pipeline(source, compressor, () => {}); // The error comes out of the iteration.
}
