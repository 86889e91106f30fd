/**
 * The file that extents describe, put together once for all who need a path: below `files/`, read-only, by the digest of
 * its extents. It is never changed once it has its name, since a machine may run from it. What is lost is made again.
 */
import fs from "node:fs";
import path from "node:path";
import { type Digest, DigestCounter } from "../base/digest.ts";
import { ioError, systemCode } from "../base/errors.ts";
import { ensureDir, removeQuietly } from "../base/fs.ts";
import type { ExtentList } from "../formats/extents.ts";
import { dataRuns } from "../formats/sparse-batcher.ts";
import type { ExtentsArtifact } from "./artifact.ts";
import { openFileSource } from "./blob-source.ts";
import { countZeros } from "./blobs.ts";
import { openExtentSource } from "./extent-bytes.ts";
import { LargeFile, ROOM } from "./large-file.ts";
import type { Store } from "./store.ts";

/** The file's path. It appears by rename, whole. Throws BLOB_DAMAGED when a blob that it is made of is gone. */
export function assembledFile(store: Store, artifact: ExtentsArtifact): string {
  return isAssembled(store.dir, artifact) ? assembledPath(store.dir, artifact.hash) : assemble(store, artifact);
}

/** The file as a blob, too: hashed while it is put together, else read for it. Throws as assembledFile does. */
export function assembledBlob(store: Store, artifact: ExtentsArtifact): Digest {
  if (isAssembled(store.dir, artifact)) return store.blobs.putLink(assembledPath(store.dir, artifact.hash));
  const counter = new DigestCounter();
  return store.blobs.putLink(assemble(store, artifact, counter), counter.digest());
}

export const assembledPath = (storeDir: string, hash: string): string => path.join(storeDir, "files", hash);

/** True when a file of that name and size is there. Its content is checked by `store verify` only. */
export function isAssembled(storeDir: string, { hash, length }: ExtentsArtifact): boolean {
  return fs.statSync(assembledPath(storeDir, hash), { throwIfNoEntry: false })?.size === length;
}

/**
 * Takes a file away that no output is any more: a disk that is built again and again would fill the store, and the file is
 * made again in a second. It stays under any other name, in another project, and while another build or machine runs.
 */
export function dropAssembled(store: Store, hash: string): void {
  const file = assembledPath(store.dir, hash);
  if (fs.statSync(file, { throwIfNoEntry: false })?.nlink !== 1) return;
  if (store.db.get("SELECT 1 FROM refs WHERE hash = ?", hash) !== undefined) return;
  if (store.running().some(({ id }) => id !== store.buildId)) return;
  removeQuietly(file);
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

function assemble(store: Store, artifact: ExtentsArtifact, counter?: DigestCounter): string {
  const target = assembledPath(store.dir, artifact.hash);
  const temporary = store.blobs.temporary();
  try {
    writeFile(temporary, store, { list: store.getExtents(artifact), counter });
    ensureDir(path.dirname(target));
    fs.renameSync(temporary, target);
    return target;
  } catch (error) {
    removeQuietly(temporary);
    throw systemCode(error)?.startsWith("E") ? ioError("write to the store", temporary, error) : error;
  }
}

/** Long runs of zeros stay holes, also those of a part that is an image itself. */
function writeFile(
  name: string,
  { blobs }: Store,
  { list, counter }: { list: ExtentList; counter: DigestCounter | undefined },
): void {
  using source = openExtentSource(blobs, list);
  using file = new LargeFile(name, {
    size: list.size,
    written: list.extents.reduce((sum, { length }) => sum + length, 0),
  });
  for (const at of roomsOf(list)) {
    const bytes = source.read(at, file.room.length, file.room);
    if (counter !== undefined) {
      countZeros(counter, at);
      counter.update(bytes);
    }
    for (const run of dataRuns(bytes)) file.write(at, run);
  }
  if (counter !== undefined) countZeros(counter, list.size);
}

/** Where a room full of the file begins that has anything in it. */
function* roomsOf({ extents }: ExtentList): Generator<number> {
  let next = 0;
  for (const { offset, length } of extents)
    for (next = Math.max(next, offset - (offset % ROOM)); next < offset + length; next += ROOM) yield next;
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
