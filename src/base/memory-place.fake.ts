/**
 * A place in memory that is as an object store is: each request happens at once, and a move is a copy and a removal. Every request asks
 * `before` first, so that a test says who goes on when.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import type { SweptPlace } from "./place.ts";

export interface Stored {
  readonly bytes: Buffer;
  /** Milliseconds. */
  readonly modified: number;
}

export interface MemoryStore {
  readonly files: Map<string, Stored>;
  now: number;
}

export const memoryStore = (): MemoryStore => ({ files: new Map(), now: 0 });

export function memoryPlace(
  store: MemoryStore,
  before: (request: string) => Promise<void> = async () => {},
): SweptPlace {
  const { files } = store;
  const put = (path: string, bytes: Buffer) => void files.set(path, { bytes, modified: store.now });
  const copy = (from: string, to: string): boolean => {
    const there = files.get(from);
    if (there !== undefined) put(to, there.bytes);
    return there !== undefined;
  };
  return {
    address: "memory",
    async read(path) {
      await before(`read ${path}`);
      return files.get(path)?.bytes;
    },
    async putFile(path, { local, size }) {
      await before(`look at ${path}`);
      if (files.get(path)?.bytes.length === size) {
        await before(`refresh ${path}`);
        if (copy(path, path)) return;
      }
      await before(`put ${path}`);
      put(path, fs.readFileSync(local));
    },
    async create(path, bytes) {
      await before(`create ${path}`);
      if (files.has(path)) return false;
      put(path, Buffer.from(bytes));
      return true;
    },
    async replace(path, bytes) {
      await before(`replace ${path}`);
      put(path, Buffer.from(bytes));
    },
    async stat(path) {
      await before(`stat ${path}`);
      const there = files.get(path);
      return there && { size: there.bytes.length, sha256: async () => sha256(there.bytes) };
    },
    async link(path, from) {
      await before(`link ${path}`);
      if (!copy(from, path)) throw new Error(`${from} is not there`);
    },
    async remove(path) {
      await before(`remove ${path}`);
      files.delete(path);
      return true;
    },
    now: async () => store.now,
    async *list() {
      await before("list");
      for (const [path, { bytes, modified }] of [...files])
        yield { path, size: bytes.length, modified, temporary: path.startsWith(".publishing/") };
    },
    async modified(path) {
      await before(`modified ${path}`);
      return files.get(path)?.modified;
    },
    async move(from, to) {
      await before(`copy ${from}`);
      if (!copy(from, to)) return false;
      await before(`delete ${from}`);
      files.delete(from);
      return true;
    },
    endUploads: async () => [],
  };
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
