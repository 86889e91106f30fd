/**
 * `store gc`: removes what no project's ref, no recent build and no running build needs, oldest use first, until the
 * store is under the asked size. Order matters: results first, in one transaction, then blobs, so that a build that
 * starts meanwhile sees either a whole result or none.
 */
import fs from "node:fs";
import path from "node:path";
import type { Digest } from "../base/digest.ts";
import { removeTree } from "../base/fs.ts";
import { decodeTree } from "../formats/filetree-codec.ts";
import type { Artifact } from "./artifact.ts";
import { assembledFiles } from "./assembled-file.ts";
import { cachesSize, removeCaches } from "./caches.ts";
import type { Store } from "./store.ts";
import { listTmp } from "./tmp.ts";

export interface CollectReport {
  readonly removedResults: number;
  readonly removedBlobs: number;
  /** Bytes. */
  readonly freed: number;
  readonly kept: number;
  readonly keptBlobs: number;
  /** Bytes of programs' caches, which go as a whole: what they remember can be found out again. */
  readonly freedCaches: number;
}

/** The kernel stamps files with the time of its last tick, so a file can look older than it is (CONFIG_HZ=100, doubled). */
const TICK_MS = 20;

/** `keep` in bytes; `dryRun` counts only. */
export function collect(store: Store, options: { keep: number; dryRun?: boolean; now: number }): CollectReport {
  const sizes = new Map<string, { size: number; mtimeMs: number }>();
  const inodes = new Set<number>();
  for (const { hash, size, mtimeMs, inode } of store.blobs.list()) {
    sizes.set(hash, { size, mtimeMs });
    inodes.add(inode);
  }
  const files = assembledFiles(store.dir);
  // What has two names in the store takes its room once.
  for (const { hash, size, inode } of files) {
    const blob = sizes.get(hash);
    if (blob !== undefined && !inodes.has(inode)) sizes.set(hash, { ...blob, size: blob.size + size });
  }
  const running = others(store);
  // What a running build writes now has no result yet: leave all that is younger than the oldest of them.
  const youngerThan = Math.min(options.now, ...running.map((build) => build.started)) - TICK_MS;

  const plan = () => {
    const live = new Set<string>();
    for (const ref of store.db.all<{ kind: string; hash: string; size: number }>("SELECT kind, hash, size FROM refs"))
      reach(store, ref as Digest & Pick<Artifact, "kind">, live);
    const needed = new Set(store.db.all<{ key: string }>("SELECT DISTINCT key FROM uses").map((row) => row.key));
    const rows = store.db.all<{ key: string; outputs: string }>(
      "SELECT key, outputs FROM results ORDER BY used DESC, key",
    );
    const doomed: string[] = [];
    let total = sum(live, sizes);
    for (const row of rows) {
      const reached = new Set<string>();
      for (const artifact of Object.values(JSON.parse(row.outputs) as Record<string, Artifact>))
        reach(store, artifact, reached);
      const more = sum(reached.difference(live), sizes);
      if (needed.has(row.key) || total + more <= options.keep) {
        for (const hash of reached) live.add(hash);
        total += more;
      } else doomed.push(row.key);
    }
    return { live, doomed };
  };

  const { live, doomed } = options.dryRun
    ? plan()
    : store.db.transaction(() => {
        dropDead(store);
        const decided = plan();
        for (const key of decided.doomed) store.db.run("DELETE FROM results WHERE key = ?", key);
        return decided;
      });

  let freed = 0;
  let removedBlobs = 0;
  for (const [hash, { size, mtimeMs }] of sizes) {
    if (live.has(hash) || (running.length > 0 && mtimeMs >= youngerThan)) continue;
    if (!options.dryRun && !removeIfOld(store, hash, options.now)) continue;
    freed += size;
    removedBlobs++;
  }
  if (!options.dryRun) {
    for (const { file } of listTmp(store.dir).filter((entry) => !entry.alive))
      fs.rmSync(file, { recursive: true, force: true });
    dropUnneeded(store, "roots", live);
    dropUnneeded(store, "files", live);
  }
  const total = [...sizes.values()].reduce((n, { size }) => n + size, 0);
  const caches = cachesSize(store.dir);
  // Results first: they cost more to make again. Never under a running build, whose program may be at work in there.
  const freedCaches = total - freed + caches > options.keep && running.length === 0 ? caches : 0;
  if (freedCaches > 0 && !options.dryRun) removeCaches(store.dir);
  return {
    removedResults: doomed.length,
    removedBlobs,
    freed,
    kept: total - freed,
    keptBlobs: sizes.size - removedBlobs,
    freedCaches,
  };
}

/** All blobs that an artifact needs: itself, for a tree its contents and packs, for a file in pieces what they lie in. */
export function reach(store: Store, artifact: Digest & Pick<Artifact, "kind">, into: Set<string>): void {
  if (into.has(artifact.hash)) return;
  into.add(artifact.hash);
  if (artifact.kind === "blob") return;
  try {
    if (artifact.kind === "extents") for (const { blob } of store.getExtents(artifact).extents) into.add(blob.hash);
    else
      for (const entry of decodeTree(store.blobs.readAll(artifact))) {
        if (entry.type === "file") into.add(entry.content.pack?.hash ?? entry.content.hash);
      }
  } catch {
    // A damaged encoding reaches nothing; using it is an error that makes it again.
  }
}

/** Moves the blob aside, looks whether a build has touched it since, and only then deletes it. */
function removeIfOld(store: Store, hash: string, now: number): boolean {
  const file = store.blobs.path(hash);
  const aside = store.blobs.temporary();
  try {
    fs.renameSync(file, aside);
    if (fs.statSync(aside).mtimeMs > now - TICK_MS) {
      fs.renameSync(aside, file);
      return false;
    }
    fs.rmSync(aside);
    return true;
  } catch {
    return false;
  }
}

function dropDead(store: Store): void {
  const alive = new Set(store.running().map((build) => build.id));
  for (const { id } of store.db.all<{ id: string }>("SELECT id FROM builds")) {
    if (alive.has(id)) continue;
    store.db.run("DELETE FROM uses WHERE build = ?", id);
    store.db.run("DELETE FROM builds WHERE id = ?", id);
  }
}

/**
 * Unpacked toolroots and files that were put together are made again in a second; they go when their artifact goes, and never
 * under a running build: one may have begun since the collection did, and may find them there at any moment, so that each
 * removal asks anew.
 */
function dropUnneeded(store: Store, kind: "roots" | "files", live: ReadonlySet<string>): void {
  const dir = path.join(store.dir, kind);
  if (!fs.existsSync(dir)) return;
  for (const name of fs.readdirSync(dir)) {
    if (live.has(name)) continue;
    if (others(store).length > 0) return;
    removeTree(path.join(dir, name));
  }
}

/** Running builds, but for our own. */
const others = (store: Store) => store.running().filter((build) => build.id !== store.buildId);

function sum(hashes: Iterable<string>, sizes: ReadonlyMap<string, { size: number }>): number {
  let total = 0;
  for (const hash of hashes) total += sizes.get(hash)?.size ?? 0;
  return total;
}
