/**
 * Content-addressed files: `blobs/ab/<sha256>`, read-only. A blob appears by rename after its last byte is written, so
 * a killed writer leaves at most a file under `tmp/`. There is no fsync here: after a power loss a blob of the wrong
 * size is seen when it is used and made again, and a result counts only when its blobs have the right size.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { ChunkWriter } from "../base/chunk-writer.ts";
import { systemClock } from "../base/clock.ts";
import { type Digest, DigestCounter, digestOf } from "../base/digest.ts";
import { BootwrightError, ioError, systemCode } from "../base/errors.ts";
import { ensureDir, removeQuietly } from "../base/fs.ts";

const CHUNK = 1024 * 1024;

export class Blobs {
  readonly #root: string;
  readonly #tmp: string;
  readonly #made = new Set<string>();

  constructor(storeDir: string, options: { readonly?: boolean } = {}) {
    this.#root = path.join(storeDir, "blobs");
    this.#tmp = path.join(storeDir, "tmp");
    if (!options.readonly) ensureDir(this.#tmp);
  }

  get root(): string {
    return this.#root;
  }

  path(hash: string): string {
    return path.join(this.#root, hash.slice(0, 2), hash);
  }

  /** True when a file of that digest's name and size is there. Its content is checked by `verify` only. */
  has(digest: Digest): boolean {
    const stat = fs.statSync(this.path(digest.hash), { throwIfNoEntry: false });
    return stat !== undefined && stat.size === digest.size;
  }

  put(bytes: Uint8Array | string): Digest {
    const digest = digestOf(bytes);
    if (this.#keep(digest)) return digest;
    const temporary = this.temporary();
    try {
      fs.writeFileSync(temporary, bytes, { mode: 0o444 });
    } catch (error) {
      removeQuietly(temporary);
      throw ioError("write to the store", temporary, error);
    }
    this.#settle(temporary, digest);
    return digest;
  }

  /**
   * Writes chunks as they come; `expected` refuses other bytes before they get a name (DIGEST_MISMATCH). With `overlap` the
   * next chunks are asked for while some are still being written: only for sources that never reuse a chunk's memory.
   */
  async putStream(
    chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: { expected?: Digest; what?: string; overlap?: boolean } = {},
  ): Promise<Digest> {
    const temporary = this.temporary();
    const counter = new DigestCounter();
    try {
      const handle = await fs.promises.open(temporary, "wx", 0o444);
      const writer = new ChunkWriter(handle, { open: options.overlap ? 2 : 1 });
      try {
        for await (const chunk of chunks) {
          counter.update(chunk);
          await writer.write(chunk);
        }
        await writer.end();
      } finally {
        await writer.settle();
        await handle.close();
      }
      const digest = counter.digest();
      if (options.expected) requireDigest(digest, options.expected, options.what ?? "stream");
      if (this.#keep(digest)) removeQuietly(temporary);
      else this.#settle(temporary, digest);
      return digest;
    } catch (error) {
      removeQuietly(temporary);
      throw systemCode(error)?.startsWith("E") ? ioError("write to the store", temporary, error) : error;
    }
  }

  /**
   * Writes synchronous chunks, each at its offset; parts never written stay holes. For images, where most of the file is
   * empty. Chunks that rise are hashed on the way; after one that goes back, the file is read again for its digest.
   */
  putSparse(writes: Iterable<{ offset: number; bytes: Uint8Array }>, size: number): Digest {
    const temporary = this.temporary();
    const counter = new DigestCounter();
    let rising = true;
    try {
      const fd = fs.openSync(temporary, "wx", 0o444);
      try {
        fs.ftruncateSync(fd, size);
        fs.fchmodSync(fd, 0o444); // Whatever the umask is.
        for (const { offset, bytes } of writes) {
          writeAll(fd, bytes, offset);
          rising &&= offset >= counter.size && offset + bytes.length <= size;
          if (!rising) continue;
          countZeros(counter, offset);
          counter.update(bytes);
        }
      } finally {
        fs.closeSync(fd);
      }
      if (!rising) return this.adopt(temporary);
      countZeros(counter, size);
      const digest = counter.digest();
      if (this.#keep(digest)) removeQuietly(temporary);
      else this.#settle(temporary, digest);
      return digest;
    } catch (error) {
      removeQuietly(temporary);
      throw systemCode(error)?.startsWith("E") ? ioError("write to the store", temporary, error) : error;
    }
  }

  /** As putSparse, for chunks in order; no event loop turns between them, which makes it the fast way for generators. */
  putSync(chunks: Iterable<Uint8Array>): Digest {
    const temporary = this.temporary();
    const counter = new DigestCounter();
    try {
      const fd = fs.openSync(temporary, "wx", 0o444);
      try {
        for (const chunk of chunks) {
          counter.update(chunk);
          writeAll(fd, chunk, null);
        }
      } finally {
        fs.closeSync(fd);
      }
    } catch (error) {
      removeQuietly(temporary);
      throw systemCode(error)?.startsWith("E") ? ioError("write to the store", temporary, error) : error;
    }
    const digest = counter.digest();
    if (this.#keep(digest)) removeQuietly(temporary);
    else this.#settle(temporary, digest);
    return digest;
  }

  /** Takes over a file under `tmp/` that a program has written (same file system). */
  adopt(temporary: string, expected?: Digest): Digest {
    const digest = hashFile(temporary);
    if (expected) requireDigest(digest, expected, path.basename(temporary));
    fs.chmodSync(temporary, 0o444);
    if (this.#keep(digest)) removeQuietly(temporary);
    else this.#settle(temporary, digest);
    return digest;
  }

  /** A file of the store under its digest as well, as a second name of the same bytes. `digest`: when whoever wrote it has hashed it. */
  putLink(file: string, digest = hashFile(file)): Digest {
    if (this.#keep(digest)) return digest;
    const temporary = this.temporary();
    try {
      fs.linkSync(file, temporary);
    } catch (error) {
      throw ioError("write to the store", temporary, error);
    }
    this.#settle(temporary, digest);
    removeQuietly(temporary); // A rename to another name of the same file leaves both: another process was first.
    return digest;
  }

  /** A fresh name under `tmp/`: on the store's file system, and cleaned after a crash. */
  temporary(): string {
    return path.join(this.#tmp, `${process.pid}-${randomBytes(8).toString("hex")}`);
  }

  readAll(digest: Digest): Buffer {
    let bytes: Buffer;
    try {
      bytes = fs.readFileSync(this.path(digest.hash));
    } catch (error) {
      throw systemCode(error) === "ENOENT"
        ? new BlobMissing(digest.hash)
        : ioError("read", this.path(digest.hash), error);
    }
    if (bytes.length !== digest.size) throw new BlobMissing(digest.hash);
    return bytes;
  }

  /**
   * Chunks of `length` bytes from `offset`. In a `buffer` of the caller's (1 MiB or more), each is good until the next is asked
   * for. Throws BLOB_DAMAGED when the blob is gone or short.
   */
  *read(digest: Digest, options: { offset?: number; length?: number; buffer?: Buffer } = {}): Generator<Buffer> {
    const { offset = 0, length = digest.size - offset, buffer } = options;
    if (length === 0) return;
    const fd = this.open(digest.hash);
    try {
      let at = offset;
      const end = offset + length;
      while (at < end) {
        const size = Math.min(CHUNK, end - at);
        const chunk = buffer ?? Buffer.allocUnsafe(size);
        const got = fs.readSync(fd, chunk, 0, size, at);
        if (got === 0) throw new BlobMissing(digest.hash);
        yield got === chunk.length ? chunk : chunk.subarray(0, got);
        at += got;
      }
    } finally {
      fs.closeSync(fd);
    }
  }

  open(hash: string): number {
    try {
      return fs.openSync(this.path(hash), "r");
    } catch (error) {
      throw systemCode(error) === "ENOENT" ? new BlobMissing(hash) : ioError("read", this.path(hash), error);
    }
  }

  remove(hash: string): void {
    fs.rmSync(this.path(hash), { force: true });
  }

  *list(): Generator<{ hash: string; size: number; mtimeMs: number; inode: number }> {
    for (const dir of readNames(this.#root).sort()) {
      for (const name of readNames(path.join(this.#root, dir)).sort()) {
        const stat = fs.statSync(path.join(this.#root, dir, name), { throwIfNoEntry: false });
        if (stat !== undefined) yield { hash: name, size: stat.size, mtimeMs: stat.mtimeMs, inode: stat.ino };
      }
    }
  }

  /** True when the blob is there already; its time is renewed, which tells a running collection to leave it. */
  #keep(digest: Digest): boolean {
    if (!this.has(digest)) return false;
    try {
      const now = new Date(systemClock.now());
      fs.utimesSync(this.path(digest.hash), now, now);
      return true;
    } catch {
      return false; // Collected a moment ago, or not ours to touch: write it.
    }
  }

  #settle(temporary: string, digest: Digest): void {
    const target = this.path(digest.hash);
    try {
      const dir = path.dirname(target);
      if (!this.#made.has(dir)) {
        fs.mkdirSync(dir, { recursive: true });
        this.#made.add(dir);
      }
      fs.renameSync(temporary, target);
    } catch (error) {
      removeQuietly(temporary);
      throw ioError("write to the store", target, error);
    }
  }
}

/** Bytes that a stage needs are gone: the scheduler makes them again. */
export class BlobMissing extends BootwrightError {
  readonly hash: string;

  constructor(hash: string) {
    super("BLOB_DAMAGED", `blob sha256:${hash} is missing from the store or has the wrong size`, {
      hint: "build again",
    });
    this.hash = hash;
  }
}

const ZEROS = Buffer.alloc(CHUNK);

/** The zeros of a hole. */
export function countZeros(counter: DigestCounter, upTo: number): void {
  for (let left = upTo - counter.size; left > 0; left = upTo - counter.size)
    counter.update(left < CHUNK ? ZEROS.subarray(0, left) : ZEROS);
}

export function hashFile(file: string | Buffer): Digest {
  const counter = new DigestCounter();
  try {
    const fd = fs.openSync(file, "r");
    try {
      const buffer = Buffer.allocUnsafe(CHUNK);
      for (;;) {
        const got = fs.readSync(fd, buffer, 0, CHUNK, null);
        if (got === 0) break;
        counter.update(buffer.subarray(0, got));
      }
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    throw ioError("read", file.toString(), error);
  }
  return counter.digest();
}

function requireDigest(got: Digest, want: Digest, what: string): void {
  if (got.hash === want.hash && got.size === want.size) return;
  throw new BootwrightError(
    "DIGEST_MISMATCH",
    `${what}: got sha256:${got.hash} (${got.size} bytes), want sha256:${want.hash} (${want.size} bytes)`,
  );
}

function writeAll(fd: number, bytes: Uint8Array, offset: number | null): void {
  let done = 0;
  while (done < bytes.length)
    done += fs.writeSync(fd, bytes, done, bytes.length - done, offset === null ? null : offset + done);
}

function readNames(dir: string): string[] {
  try {
    return fs.readdirSync(dir);
  } catch {
    return [];
  }
}
