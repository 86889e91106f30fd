/**
 * `store verify`: hashes every blob, and compares files that were put together with their parts; what is wrong is dropped, and
 * results that need it are forgotten.
 */
import fs from "node:fs";
import type { Artifact } from "./artifact.ts";
import { assembledFiles, assembledPath, isIntact } from "./assembled-file.ts";
import { hashFile } from "./blobs.ts";
import { reach } from "./collect.ts";
import type { Store } from "./store.ts";

export interface VerifyReport {
  readonly blobs: number;
  /** Bytes read. */
  readonly bytes: number;
  /** Hashes of blobs whose bytes were wrong; they are gone now. */
  readonly damaged: readonly string[];
  /** Files that were put together, by the hash of their extents, whose bytes were wrong; they are gone now. */
  readonly damagedFiles: readonly string[];
  /** Results that named a blob that is not there; forgotten, so that the next build makes them again. */
  readonly incomplete: number;
}

export function verifyStore(store: Store, onProgress: (done: number) => void = () => {}): VerifyReport {
  const damaged: string[] = [];
  const there = new Set<string>();
  let bytes = 0;
  for (const { hash, size } of store.blobs.list()) {
    if (hashFile(store.blobs.path(hash)).hash === hash) there.add(hash);
    else {
      damaged.push(hash);
      store.blobs.remove(hash);
    }
    bytes += size;
    onProgress(bytes);
  }
  const damagedFiles: string[] = [];
  for (const { hash, size } of assembledFiles(store.dir)) {
    if (!isRight(store, hash)) {
      damagedFiles.push(hash);
      fs.rmSync(assembledPath(store.dir, hash), { force: true });
    }
    bytes += size;
    onProgress(bytes);
  }
  const incomplete: string[] = [];
  for (const row of store.db.all<{ key: string; outputs: string }>("SELECT key, outputs FROM results")) {
    const reached = new Set<string>();
    const outputs = JSON.parse(row.outputs) as Record<string, Artifact>;
    for (const artifact of Object.values(outputs)) reach(store, artifact, reached);
    // What is not in the list but on the disk was made meanwhile, by a build that runs beside.
    if ([...reached].every((hash) => there.has(hash) || fs.existsSync(store.blobs.path(hash)))) continue;
    incomplete.push(row.key);
    // An encoding with holes is worse than none: a pinned tree would count as present.
    for (const artifact of Object.values(outputs)) if (artifact.kind !== "blob") store.blobs.remove(artifact.hash);
  }
  store.forget(incomplete);
  return { blobs: there.size + damaged.length, bytes, damaged, damagedFiles, incomplete: incomplete.length };
}

/** Where its extents or their blobs are gone, nobody can say, and it is made anew with them. */
function isRight(store: Store, hash: string): boolean {
  try {
    const { size } = fs.statSync(store.blobs.path(hash));
    return isIntact(store, { hash, size });
  } catch {
    return false;
  }
}
