/** The store as stages and commands see it: blobs, trees, results, and who builds now. One instance a process. */
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import { systemClock } from "../base/clock.ts";
import type { Digest } from "../base/digest.ts";
import { ensureDir } from "../base/fs.ts";
import { decodeExtents, type ExtentList, encodeExtents } from "../formats/extents.ts";
import type { FileContent, FileTree, PackRef } from "../formats/filetree.ts";
import { decodeTree, encodeTree } from "../formats/filetree-codec.ts";
import { type Artifact, type ExtentsArtifact, type TreeArtifact, treeArtifact } from "./artifact.ts";
import { isAssembled } from "./assembled-file.ts";
import { BlobMissing, Blobs } from "./blobs.ts";
import { IndexDb } from "./index-db.ts";
import { isAlive, processIdentity } from "./lease.ts";

export interface StageResult {
  readonly key: string;
  readonly stage: string;
  readonly outputs: Readonly<Record<string, Artifact>>;
  /** How long the stage ran. */
  readonly ms: number;
}

/** A collection asks who was used longest ago: an hour more or less does not matter to it. */
const USE_PRECISION_MS = 3_600_000;
const IN_LIST = "key IN (SELECT value FROM json_each(?))";

export class Store {
  readonly dir: string;
  readonly readonly: boolean;
  readonly blobs: Blobs;
  readonly db: IndexDb;
  readonly buildId = randomUUID();
  readonly #trees = new Map<string, FileTree>();
  #leased = false;

  /** `readonly` writes nothing, not even a new store: what is not there is simply missing. */
  constructor(dir: string, options: { readonly?: boolean } = {}) {
    this.dir = dir;
    this.readonly = options.readonly ?? false;
    if (!this.readonly) ensureDir(dir);
    this.blobs = new Blobs(dir, options);
    this.db = new IndexDb(dir, options);
  }

  putTree(tree: FileTree): TreeArtifact {
    const artifact = treeArtifact(this.blobs.put(encodeTree(tree)));
    this.#remember(artifact.hash, tree);
    return artifact;
  }

  getTree(artifact: TreeArtifact): FileTree {
    const known = this.#trees.get(artifact.hash);
    if (known !== undefined) return known;
    const tree = decodeTree(this.blobs.readAll(artifact));
    this.#remember(artifact.hash, tree);
    return tree;
  }

  putExtents(list: ExtentList): ExtentsArtifact {
    const { hash, size } = this.blobs.put(encodeExtents(list));
    return { kind: "extents", hash, size, length: list.size };
  }

  getExtents(digest: Digest): ExtentList {
    return decodeExtents(this.blobs.readAll(digest));
  }

  /** True when the artifact's blob is there, and of a file in pieces the file itself or all pieces. */
  has(artifact: Artifact): boolean {
    if (!this.blobs.has(artifact)) return false;
    if (artifact.kind !== "extents" || isAssembled(this.dir, artifact)) return true;
    const blobs = new Map(this.getExtents(artifact).extents.map(({ blob }) => [blob.hash, blob]));
    return [...blobs.values()].every((blob) => this.blobs.has(blob));
  }

  /** A file's bytes in chunks, wherever they lie. */
  readonly read = (content: FileContent): Iterable<Uint8Array> => {
    if (content.size === 0) return [];
    if (content.pack === undefined) return this.blobs.read(content);
    return this.blobs.read(content.pack, { offset: content.pack.offset, length: content.size });
  };

  /**
   * A reader that keeps packs open between contents: many small files out of one archive. Call `close` at the end. A chunk of
   * less than 256 KiB is good until the next is asked for: all of them stand in one buffer, since a fresh one for each of
   * some ten thousand files waits for the garbage collector. With `reuse`, that holds for larger ones, too: for who has done
   * with a chunk before asking for more.
   */
  reader({ reuse = false } = {}): { read: (content: FileContent) => Iterable<Uint8Array>; close: () => void } {
    const buffer = Buffer.allocUnsafeSlow(reuse ? CHUNK : SMALL);
    const open = new Map<string, number>();
    const read = (content: FileContent): Iterable<Uint8Array> => {
      const { pack } = content;
      if (content.size === 0) return [];
      if (pack === undefined) return this.blobs.read(content, { ...(reuse && { buffer }) });
      let fd = open.get(pack.hash);
      if (fd === undefined) {
        fd = this.blobs.open(pack.hash);
        open.set(pack.hash, fd);
      }
      return readRange(fd, { pack, size: content.size, buffer });
    };
    return {
      read,
      close: () => {
        for (const fd of open.values()) fs.closeSync(fd);
      },
    };
  }

  readContent(content: FileContent): Buffer {
    return Buffer.concat([...this.read(content)]);
  }

  /** The result of a key when all its outputs are there; `claim` it before relying on it. */
  lookup(key: string): StageResult | undefined {
    const row = this.db.get<{ stage: string; outputs: string; ms: number }>(
      "SELECT stage, outputs, ms FROM results WHERE key = ?",
      key,
    );
    if (row === undefined) return undefined;
    const outputs = JSON.parse(row.outputs) as Record<string, Artifact>;
    if (!Object.values(outputs).every((artifact) => this.has(artifact))) return undefined;
    return { key, stage: row.stage, outputs, ms: row.ms };
  }

  /** Marks results as in use, so that a collection running beside leaves them. False when one of them has just gone. */
  claim(keys: readonly string[]): boolean {
    const list = JSON.stringify(keys);
    return this.db.transaction(() => {
      this.#lease();
      const now = systemClock.now();
      this.db.run("INSERT OR IGNORE INTO uses (build, key) SELECT ?, value FROM json_each(?)", this.buildId, list);
      // Each row lies on a page of its own: a build with nothing to do shall not write them all.
      this.db.run(`UPDATE results SET used = ? WHERE ${IN_LIST} AND used < ?`, now, list, now - USE_PRECISION_MS);
      const { there } = this.db.get<{ there: number }>(`SELECT COUNT(*) AS there FROM results WHERE ${IN_LIST}`, list)!;
      return there === new Set(keys).size;
    });
  }

  record(result: StageResult): void {
    const now = systemClock.now();
    this.db.transaction(() => {
      this.#lease();
      this.db.run("INSERT OR IGNORE INTO uses (build, key) VALUES (?, ?)", this.buildId, result.key);
      this.db.run(
        "INSERT OR REPLACE INTO results (key, stage, outputs, ms, made, used) VALUES (?, ?, ?, ?, ?, ?)",
        ...[result.key, result.stage, JSON.stringify(result.outputs), result.ms, now, now],
      );
    });
  }

  forget(keys: readonly string[]): void {
    this.db.transaction(() => {
      for (const key of keys) this.db.run("DELETE FROM results WHERE key = ?", key);
    });
  }

  /** Says that a build is running, before it writes its first blob. */
  begin(): void {
    this.db.transaction(() => this.#lease());
  }

  close(): void {
    try {
      if (this.#leased)
        this.db.transaction(() => {
          this.db.run("DELETE FROM uses WHERE build = ?", this.buildId);
          this.db.run("DELETE FROM builds WHERE id = ?", this.buildId);
        });
    } catch {
      // A full disk, which is being reported already. The lease counts for nothing once this process is gone.
    } finally {
      this.db.close();
    }
  }

  /** Builds whose process still lives. */
  running(): { id: string; pid: number; started: number }[] {
    return this.db
      .all<{ id: string; pid: number; boot: string; started: number }>("SELECT id, pid, boot, started FROM builds")
      .filter(isAlive);
  }

  #lease(): void {
    if (this.#leased) return;
    const me = processIdentity();
    this.db.run(
      "INSERT INTO builds (id, pid, boot, started) VALUES (?, ?, ?, ?)",
      this.buildId,
      me.pid,
      me.boot,
      systemClock.now(),
    );
    this.#leased = true;
  }

  #remember(hash: string, tree: FileTree): void {
    // A few trees are used by several stages of one build; all of them would be a leak in `dev`.
    if (this.#trees.size >= 16) this.#trees.delete(this.#trees.keys().next().value!);
    this.#trees.set(hash, tree);
  }
}

/** Writers copy pieces up to this at once, and pass larger ones on as they are (formats/chunk-batcher.ts). */
const SMALL = 256 * 1024 - 1;
const CHUNK = 1024 * 1024;

function* readRange(
  fd: number,
  { pack, size, buffer }: { pack: PackRef; size: number; buffer: Buffer },
): Generator<Uint8Array> {
  for (let at = 0; at < size; ) {
    const length = Math.min(CHUNK, size - at);
    const chunk = length <= buffer.length ? buffer : Buffer.allocUnsafe(length);
    const got = fs.readSync(fd, chunk, 0, length, pack.offset + at);
    if (got === 0) throw new BlobMissing(pack.hash);
    yield chunk.subarray(0, got);
    at += got;
  }
}
