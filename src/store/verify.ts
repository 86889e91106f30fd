/** `store verify`: hashes every blob; what does not match its name is dropped, and results that need it are forgotten. */
import fs from "node:fs";
import type { Artifact } from "./artifact.ts";
import { hashFile } from "./blobs.ts";
import { reach } from "./collect.ts";
import type { Store } from "./store.ts";

export interface VerifyReport {
  readonly blobs: number;
  /** Bytes read. */
  readonly bytes: number;
  /** Hashes of blobs whose bytes were wrong; they are gone now. */
  readonly damaged: readonly string[];
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
  const incomplete: string[] = [];
  for (const row of store.db.all<{ key: string; outputs: string }>("SELECT key, outputs FROM results")) {
    const reached = new Set<string>();
    const outputs = JSON.parse(row.outputs) as Record<string, Artifact>;
    for (const artifact of Object.values(outputs)) reach(store, artifact, reached);
    // What is not in the list but on the disk was made meanwhile, by a build that runs beside.
    if ([...reached].every((hash) => there.has(hash) || fs.existsSync(store.blobs.path(hash)))) continue;
    incomplete.push(row.key);
    // A tree with holes is worse than none: a pinned one would count as present.
    for (const artifact of Object.values(outputs)) if (artifact.kind === "tree") store.blobs.remove(artifact.hash);
  }
  store.forget(incomplete);
  return { blobs: there.size + damaged.length, bytes, damaged, incomplete: incomplete.length };
}
