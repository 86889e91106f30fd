/**
 * Directories that programs keep between runs (a compiler's cache). They may go at any time: only time is lost. They hold
 * nothing that a result depends on, so no key knows of them.
 */
import fs from "node:fs";
import path from "node:path";
import { ensureDir, removeTree } from "../base/fs.ts";

/** The directory of that name in a store; made when it is not there. */
export function cacheDirectory(storeDir: string, name: string): string {
  const dir = path.join(storeDir, "caches", name);
  ensureDir(dir);
  return dir;
}

/** Bytes of all files in all caches. */
export function cachesSize(storeDir: string): number {
  let size = 0;
  for (const entry of list(path.join(storeDir, "caches"))) {
    // A program may be at work in there.
    const stat = fs.lstatSync(entry, { throwIfNoEntry: false });
    if (stat?.isFile()) size += stat.size;
  }
  return size;
}

export function removeCaches(storeDir: string): void {
  removeTree(path.join(storeDir, "caches"));
}

const list = (dir: string): string[] =>
  fs.existsSync(dir)
    ? fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).map((name) => path.join(dir, name))
    : [];
