/** Compression of byte streams, with fixed settings so that the same input gives the same bytes. */
import { Readable } from "node:stream";
import { createGzip } from "node:zlib";
import { compressZstd } from "./zstd.ts";

export interface CompressOptions {
  readonly kind: "gzip" | "zstd";
  readonly level: number;
  /** Bytes, when known; only a hint for buffers. */
  readonly size?: number;
}

export function compress(chunks: Iterable<Uint8Array>, { kind, level }: CompressOptions): AsyncIterable<Uint8Array> {
  if (kind === "zstd") return compressZstd(chunks, { level });
  const source = Readable.from(chunks, { objectMode: false, highWaterMark: 1024 * 1024 });
  // Node writes no name and no time (RFC 1952 MTIME 0); the operating system byte is zlib's fixed 3.
  const compressor = createGzip({ chunkSize: 256 * 1024, level });
  source.on("error", (error) => compressor.destroy(error));
  return source.pipe(compressor);
}
