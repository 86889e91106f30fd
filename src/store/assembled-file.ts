/**
 * The file that extents describe, put together once for all who need a path: below `files/`, read-only, by the digest of
 * its extents. It is never changed once it has its name, since a machine may run from it. What is lost is made again.
 */
import fs from "node:fs";
import path from "node:path";
import type { Digest } from "../base/digest.ts";
import { ioError, systemCode } from "../base/errors.ts";
import { ensureDir, removeQuietly } from "../base/fs.ts";
import { SparseBatcher } from "../formats/sparse-batcher.ts";
import type { SparseWrite } from "../formats/sparse-write.ts";
import type { ExtentsArtifact } from "./artifact.ts";
import { openFileSource } from "./blob-source.ts";
import { writeAll } from "./blobs.ts";
import { openExtentBytes, openExtentSource } from "./extent-bytes.ts";
import type { Store } from "./store.ts";

/** The file's path. It appears by rename, whole. Throws BLOB_DAMAGED when a blob that it is made of is gone. */
export function assembledFile(store: Store, artifact: ExtentsArtifact): string {
  const target = assembledPath(store.dir, artifact.hash);
  if (isAssembled(store.dir, artifact)) return target;
  const temporary = store.blobs.temporary();
  try {
    const fd = fs.openSync(temporary, "wx", 0o444);
    try {
      fs.ftruncateSync(fd, artifact.length);
      fs.fchmodSync(fd, 0o444); // Whatever the umask is.
      for (const { offset, bytes } of writesOf(store, artifact)) writeAll(fd, bytes, offset);
    } finally {
      fs.closeSync(fd);
    }
    ensureDir(path.dirname(target));
    fs.renameSync(temporary, target);
    return target;
  } catch (error) {
    removeQuietly(temporary);
    throw systemCode(error)?.startsWith("E") ? ioError("write to the store", temporary, error) : error;
  }
}

export const assembledPath = (storeDir: string, hash: string): string => path.join(storeDir, "files", hash);

/** True when a file of that name and size is there. Its content is checked by `store verify` only. */
export function isAssembled(storeDir: string, { hash, length }: ExtentsArtifact): boolean {
  return fs.statSync(assembledPath(storeDir, hash), { throwIfNoEntry: false })?.size === length;
}

/** What is there, with the room that it takes: `size` in bytes, holes not counted. */
export function assembledFiles(storeDir: string): readonly { hash: string; size: number; inode: number }[] {
  const dir = path.join(storeDir, "files");
  if (!fs.existsSync(dir)) return [];
  return fs.readdirSync(dir).flatMap((hash) => {
    const stat = fs.statSync(path.join(dir, hash), { throwIfNoEntry: false });
    return stat === undefined ? [] : [{ hash, size: stat.blocks * 512, inode: stat.ino }];
  });
}

/** Long runs of zeros stay holes here, too: a part may be an image that has its own. */
function* writesOf(store: Store, artifact: ExtentsArtifact): Generator<SparseWrite> {
  const out = new SparseBatcher();
  const bytes = openExtentBytes(store.blobs);
  try {
    for (const extent of store.getExtents(artifact).extents) {
      out.seek(extent.offset);
      for (const chunk of bytes.read(extent)) yield* out.write(chunk);
    }
    yield* out.flush();
  } finally {
    bytes.close();
  }
}

/**
 * True when each byte of the file is what its extents say. Throws BLOB_DAMAGED and FORMAT_INVALID where those cannot be
 * read, and then nobody can say.
 */
export function isIntact(store: Store, { hash, size }: Digest): boolean {
  const list = store.getExtents({ hash, size });
  using file = openFileSource(assembledPath(store.dir, hash));
  using wanted = openExtentSource(store.blobs, list);
  if (file.size !== list.size) return false;
  for (let at = 0; at < list.size; at += STEP)
    if (Buffer.compare(file.read(at, STEP), wanted.read(at, STEP)) !== 0) return false;
  return true;
}

const STEP = 1024 * 1024;
