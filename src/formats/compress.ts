/** Compression of byte streams, with fixed settings so that the same input gives the same bytes. */
import { Readable } from "node:stream";
import { constants, createGzip, createZstdCompress } from "node:zlib";

export interface CompressOptions {
  readonly kind: "gzip" | "zstd";
  readonly level: number;
  /** Bytes, when known; only a hint for buffers. */
  readonly size?: number;
}

/** Threads do not change zstd's output once there is at least one worker; so there always is one, on every machine. */
const ZSTD_WORKERS = 2;

export function compress(chunks: Iterable<Uint8Array>, { kind, level }: CompressOptions): AsyncIterable<Uint8Array> {
  const source = Readable.from(chunks, { objectMode: false, highWaterMark: 1024 * 1024 });
  const options = { chunkSize: 256 * 1024 };
  const compressor =
    kind === "gzip"
      ? // Node writes no name and no time (RFC 1952 MTIME 0); the operating system byte is zlib's fixed 3.
        createGzip({ ...options, level })
      : createZstdCompress({
          ...options,
          params: {
            [constants.ZSTD_c_compressionLevel]: level,
            [constants.ZSTD_c_nbWorkers]: ZSTD_WORKERS,
            [constants.ZSTD_c_checksumFlag]: 1,
          },
        });
  source.on("error", (error) => compressor.destroy(error));
  return source.pipe(compressor);
}
