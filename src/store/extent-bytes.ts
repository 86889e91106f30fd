/** Reads what extents point to, with a few blobs kept open: extents go to and fro between them. */
import fs from "node:fs";
import type { Digest } from "../base/digest.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { Extent, ExtentList } from "../formats/extents.ts";
import type { BlobArtifact, ExtentsArtifact } from "./artifact.ts";
import { openBlobSource } from "./blob-source.ts";
import { BlobMissing, type Blobs } from "./blobs.ts";
import type { Store } from "./store.ts";

const MOST_OPEN = 64;

/** Random access to a file of either kind. Close it. */
export const openFileArtifact = (store: Store, artifact: BlobArtifact | ExtentsArtifact): ByteSource & Disposable =>
  artifact.kind === "blob"
    ? openBlobSource(store.blobs, artifact)
    : openExtentSource(store.blobs, store.getExtents(artifact));

/** Random access to the file that extents describe, without putting it together. Throws BLOB_DAMAGED when a blob is gone or short. Close it. */
export function openExtentSource(blobs: Blobs, { size, extents }: ExtentList): ByteSource & Disposable {
  const files = new OpenBlobs(blobs);
  return {
    size,
    read: (offset, length, into) => {
      const end = Math.min(offset + length, size);
      const wanted = Math.max(0, end - offset);
      const result =
        into !== undefined && into.length >= wanted ? into.subarray(0, wanted) : Buffer.allocUnsafe(wanted);
      let done = 0;
      for (let i = firstEndingBehind(extents, offset); i < extents.length && extents[i]!.offset < end; i++) {
        const extent = extents[i]!;
        const start = Math.max(offset, extent.offset);
        result.fill(0, done, start - offset);
        done = Math.min(end, extent.offset + extent.length) - offset;
        files.read(extent.blob, extent.from + start - extent.offset, result.subarray(start - offset, done));
      }
      result.fill(0, done);
      return result;
    },
    [Symbol.dispose]: () => files.close(),
  };
}

class OpenBlobs {
  readonly #blobs: Blobs;
  readonly #files = new Map<string, number>();

  constructor(blobs: Blobs) {
    this.#blobs = blobs;
  }

  /** Fills `into` with what the blob has from `from` on. */
  read({ hash }: Digest, from: number, into: Buffer): void {
    const fd = this.#opened(hash);
    for (let done = 0; done < into.length; ) {
      const got = fs.readSync(fd, into, done, into.length - done, from + done);
      if (got === 0) throw new BlobMissing(hash);
      done += got;
    }
  }

  #opened(hash: string): number {
    const known = this.#files.get(hash);
    if (known !== undefined) return known;
    const [oldest] = this.#files;
    if (oldest !== undefined && this.#files.size >= MOST_OPEN) {
      fs.closeSync(oldest[1]);
      this.#files.delete(oldest[0]);
    }
    const fd = this.#blobs.open(hash);
    this.#files.set(hash, fd);
    return fd;
  }

  close(): void {
    for (const fd of this.#files.values()) fs.closeSync(fd);
    this.#files.clear();
  }
}

function firstEndingBehind(extents: readonly Extent[], offset: number): number {
  let low = 0;
  let high = extents.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { offset: start, length } = extents[middle]!;
    if (start + length > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}
