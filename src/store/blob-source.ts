/** Random access to a blob, for readers of images. Close it. */
import fs from "node:fs";
import type { Digest } from "../base/digest.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { Blobs } from "./blobs.ts";

export function openBlobSource(blobs: Blobs, digest: Digest): ByteSource & Disposable {
  return sourceOfFd(blobs.open(digest.hash), digest.size);
}

export function openFileSource(file: string): ByteSource & Disposable {
  const fd = fs.openSync(file, "r");
  return sourceOfFd(fd, fs.fstatSync(fd).size);
}

function sourceOfFd(fd: number, size: number): ByteSource & Disposable {
  return {
    size,
    read: (offset, length, into) => {
      const wanted = Math.max(0, Math.min(length, size - offset));
      const bytes = into !== undefined && into.length >= wanted ? into.subarray(0, wanted) : Buffer.allocUnsafe(wanted);
      let done = 0;
      while (done < bytes.length) {
        const got = fs.readSync(fd, bytes, done, bytes.length - done, offset + done);
        if (got === 0) break;
        done += got;
      }
      return bytes.subarray(0, done);
    },
    [Symbol.dispose]: () => fs.closeSync(fd),
  };
}
