/** Reads what extents point to, with a few blobs kept open: extents go to and fro between them. */
import fs from "node:fs";
import type { ByteSource } from "../formats/byte-source.ts";
import type { Extent, ExtentList } from "../formats/extents.ts";
import type { BlobArtifact, ExtentsArtifact } from "./artifact.ts";
import { openBlobSource } from "./blob-source.ts";
import { BlobMissing, type Blobs } from "./blobs.ts";
import type { Store } from "./store.ts";

export interface ExtentBytes {
  /** Each chunk is good until the next is asked for. Throws BLOB_DAMAGED when the blob is gone or short. */
  readonly read: (extent: Extent) => Generator<Buffer>;
  readonly close: () => void;
}

const MOST_OPEN = 64;
/** Fits into a processor's cache with room to spare: what was read is still there when it is written. */
const CHUNK = 512 * 1024;

export function openExtentBytes(blobs: Blobs): ExtentBytes {
  const open = new Map<string, number>();
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  const opened = (hash: string): number => {
    const known = open.get(hash);
    if (known !== undefined) return known;
    const [oldest] = open;
    if (oldest !== undefined && open.size >= MOST_OPEN) {
      fs.closeSync(oldest[1]);
      open.delete(oldest[0]);
    }
    const fd = blobs.open(hash);
    open.set(hash, fd);
    return fd;
  };
  return {
    *read({ blob, from, length }) {
      for (let done = 0; done < length; ) {
        const got = fs.readSync(opened(blob.hash), buffer, 0, Math.min(CHUNK, length - done), from + done);
        if (got === 0) throw new BlobMissing(blob.hash);
        yield buffer.subarray(0, got);
        done += got;
      }
    },
    close: () => {
      for (const fd of open.values()) fs.closeSync(fd);
      open.clear();
    },
  };
}

/** Random access to a file of either kind. Close it. */
export const openFileArtifact = (store: Store, artifact: BlobArtifact | ExtentsArtifact): ByteSource & Disposable =>
  artifact.kind === "blob"
    ? openBlobSource(store.blobs, artifact)
    : openExtentSource(store.blobs, store.getExtents(artifact));

/** Random access to the file that extents describe, without putting it together. Close it. */
export function openExtentSource(blobs: Blobs, { size, extents }: ExtentList): ByteSource & Disposable {
  const bytes = openExtentBytes(blobs);
  return {
    size,
    read: (offset, length, into) => {
      const end = Math.min(offset + length, size);
      const wanted = Math.max(0, end - offset);
      const result =
        into !== undefined && into.length >= wanted ? into.subarray(0, wanted).fill(0) : Buffer.alloc(wanted);
      for (let i = firstEndingBehind(extents, offset); i < extents.length && extents[i]!.offset < end; i++) {
        const extent = extents[i]!;
        const start = Math.max(offset, extent.offset);
        const skipped = start - extent.offset;
        const rest = Math.min(end, extent.offset + extent.length) - start;
        let at = start - offset;
        for (const chunk of bytes.read({ ...extent, from: extent.from + skipped, length: rest }))
          at += chunk.copy(result, at);
      }
      return result;
    },
    [Symbol.dispose]: bytes.close,
  };
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
