/**
 * Reads archives into the store while they pass by: what `import-archive.ts` does when it runs. Kept apart, since an unchanged
 * build plans such stages and runs none.
 */
import { comparePaths } from "../base/bytes.ts";
import { withProgress } from "../base/chunk-progress.ts";
import { DigestCounter } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { readAr } from "../formats/ar.ts";
import { decompress } from "../formats/decompress.ts";
import type { FileEntry, PackRef, TreeEntry } from "../formats/filetree.ts";
import { readNewc } from "../formats/newc-reader.ts";
import { TAR_BLOCK } from "../formats/tar-header.ts";
import { readTar, type TarMember } from "../formats/tar-reader.ts";
import type { BlobInput, StageContext } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import type { ImportedArchive, ImportedLayer, UnpackLimits } from "./import-archive.ts";

export async function runImportArchive(
  { inputs, store, progress, signal }: StageContext<{ archive: BlobInput }>,
  { what, limits }: { what: string; limits: UnpackLimits },
): Promise<ImportedArchive> {
  const bytes = withProgress(store.blobs.read(inputs.archive), (done) => {
    signal.throwIfAborted();
    progress(done, { total: inputs.archive.size, what: "unpacking" });
  });
  const head =
    store.blobs.read(inputs.archive, { length: Math.min(8, inputs.archive.size) }).next().value ?? Buffer.alloc(0);
  const chunks = head.toString("latin1") === "!<arch>\n" ? debContents(bytes, what) : decompress(bytes, { what });
  return importStream(chunks, { store, what, limits });
}

export async function runImportLayer(
  { inputs, store, progress, signal }: StageContext<{ layer: BlobInput }>,
  { what, limit }: { what: string; limit: number },
): Promise<ImportedLayer> {
  const bytes = withProgress(store.blobs.read(inputs.layer), (done) => {
    signal.throwIfAborted();
    progress(done, { total: inputs.layer.size, what: "unpacking" });
  });
  const members = new TarImport({ store, what, layer: true, limit });
  const pack = blobArtifact(await store.blobs.putStream(members.tee(decompress(bytes, { what }))));
  for (const { path, ...entry } of members.entries())
    if (entry.type === "file" && entry.content.pack && entry.content.pack.offset + entry.content.size > pack.size)
      throw new BootwrightError("FORMAT_INVALID", `${what}: the archive is cut off within /${path}`);
  const links = blobArtifact(store.blobs.put(JSON.stringify(members.linksBelow())));
  return { tree: store.putTree(placed(members.entries(), pack)), pack, links };
}

/** The stream is kept as the pack while its members are read off it. */
async function importStream(
  chunks: AsyncIterable<Uint8Array>,
  { store, what, limits }: { store: Store; what: string; limits: UnpackLimits },
): Promise<ImportedArchive> {
  const drafts: TreeEntry[] = [];
  const { first, rest } = await peek(chunks);
  const cpio = first.subarray(0, 5).toString("latin1") === "07070";
  let pack: BlobArtifact;
  if (cpio) {
    pack = blobArtifact(await store.blobs.putStream(new Allowance({ limit: limits.cpio, what }).count(rest)));
    drafts.push(...cpioEntries(store.blobs.readAll(pack)));
  } else {
    const members = new TarImport({ store, what, limit: limits.tar });
    pack = blobArtifact(await store.blobs.putStream(members.tee(rest)));
    drafts.push(...members.entries());
  }
  return { tree: store.putTree(placed(drafts, pack)), pack };
}

const placed = (drafts: readonly TreeEntry[], pack: BlobArtifact): TreeEntry[] =>
  drafts.map((entry) => inPack(entry, pack)).sort((a, b) => comparePaths(a.path, b.path));

/** A pack's own digest is known only at its end; until then references carry the offset alone. */
const at = (offset: number): PackRef => ({ hash: "", size: 0, offset });

function inPack(entry: TreeEntry, { hash, size }: BlobArtifact): TreeEntry {
  if (entry.type !== "file" || entry.content.pack === undefined) return entry;
  return { ...entry, content: { ...entry.content, pack: { hash, size, offset: entry.content.pack.offset } } };
}

class TarImport {
  readonly #store: Store;
  readonly #what: string;
  readonly #layer: boolean;
  readonly #allowance: Allowance;
  readonly #entries = new Map<string, TreeEntry>();
  readonly #below = new Map<string, string>();
  #links = 0;

  constructor({
    store,
    what,
    limit,
    layer = false,
  }: {
    store: Store;
    what: string;
    limit: number;
    layer?: boolean;
  }) {
    this.#allowance = new Allowance({ limit, what });
    this.#store = store;
    this.#what = what;
    this.#layer = layer;
  }

  /** Hands every chunk to the pack's writer, and reads members from the same chunks. */
  async *tee(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const queue = new ChunkQueue();
    const reading = this.#read(queue).catch((error: unknown) => {
      queue.cancel();
      return error;
    });
    let size = 0;
    let error: unknown;
    try {
      for await (const chunk of this.#allowance.count(chunks)) {
        yield chunk;
        size += chunk.length;
        if (!(await queue.push(chunk))) break;
      }
      // Some layers stop right behind their last byte, without padding and end mark (umoci 0.4.7 writes such), and engines
      // take them. Whether a layer is whole is said by its digest.
      if (this.#layer) await queue.push(Buffer.alloc(3 * TAR_BLOCK - (size % TAR_BLOCK)));
    } finally {
      // The reader ends, too, and tidies up, whatever has ended this.
      queue.end();
      error = await reading;
    }
    if (error !== undefined) throw error;
  }

  entries(): TreeEntry[] {
    return [...this.#entries.values()];
  }

  /** Of a layer: hard links whose target it does not hold itself. */
  linksBelow(): [path: string, target: string][] {
    return [...this.#below];
  }

  async #read(queue: ChunkQueue): Promise<undefined> {
    for await (const member of readTar(queue, { origin: this.#what, duplicates: true, absolute: this.#layer })) {
      const there = this.#entries.get(member.path);
      if (there?.type === "directory" && member.type !== "directory")
        throw new BootwrightError(
          "TREE_CONFLICT",
          `${this.#what}: /${member.path} is a directory and a ${member.type}`,
        );
      const entry = await this.#entry(member);
      if (entry === undefined) continue;
      this.#below.delete(member.path);
      this.#entries.set(member.path, entry);
    }
    return undefined;
  }

  /** Undefined for a link to a layer below. */
  async #entry(member: TarMember): Promise<TreeEntry | undefined> {
    const { path, mode, uid, gid, mtime, xattrs } = member;
    const common = { path, mode: mode & 0o7777, uid, gid, mtime, ...(xattrs.length > 0 && { xattrs }) };
    switch (member.type) {
      case "file":
        return { type: "file", ...common, content: await this.#content(member) };
      case "hardlink":
        return this.#hardLink(member);
      case "symlink":
        return { type: "symlink", ...common, mode: 0o777, target: member.target };
      case "char":
      case "block":
        return { type: member.type, ...common, major: member.major, minor: member.minor };
      default:
        return { type: member.type, ...common };
    }
  }

  async #content(member: TarMember): Promise<FileEntry["content"]> {
    // A sparse file's bytes lie in pieces: it becomes a blob of its own.
    if (member.offset === undefined) return this.#store.blobs.putStream(this.#allowance.count(member.content()));
    const counter = new DigestCounter();
    for await (const chunk of member.content()) counter.update(chunk);
    const { hash, size } = counter.digest();
    return size === 0 ? { hash, size } : { hash, size, pack: at(member.offset) };
  }

  #hardLink(member: TarMember): TreeEntry | undefined {
    const target = this.#entries.get(member.target);
    if (target === undefined && this.#layer) {
      this.#entries.delete(member.path);
      this.#below.set(member.path, this.#below.get(member.target) ?? member.target);
      return undefined;
    }
    if (target === undefined)
      throw new BootwrightError(
        "PATH_UNSAFE",
        `${this.#what}: the hard link /${member.path} points to /${member.target}, which the archive has not named before`,
      );
    if (target.type !== "file") return { ...target, path: member.path };
    const link = target.link ?? ++this.#links;
    this.#entries.set(target.path, { ...target, link });
    return { ...target, path: member.path, link };
  }
}

/** What is left of a limit. */
class Allowance {
  readonly #limit: number;
  readonly #what: string;
  #used = 0;

  constructor({ limit, what }: { limit: number; what: string }) {
    this.#limit = limit;
    this.#what = what;
  }

  /** Passes chunks on. Throws LIMIT_EXCEEDED instead of the one that is too much. */
  async *count(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      this.#used += chunk.length;
      if (this.#used > this.#limit)
        throw new BootwrightError("LIMIT_EXCEEDED", `${this.#what}: unpacks to more than ${formatSize(this.#limit)}`);
      yield chunk;
    }
  }
}

/** One writer, one reader, at most one chunk between them. */
class ChunkQueue implements AsyncIterable<Uint8Array> {
  #chunk: Uint8Array | undefined;
  #ended = false;
  #cancelled = false;
  #wake: () => void = () => {};

  /** False when the reader has stopped. */
  async push(chunk: Uint8Array): Promise<boolean> {
    while (this.#chunk !== undefined && !this.#cancelled) await this.#wait();
    this.#chunk = chunk;
    this.#wake();
    return !this.#cancelled;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  cancel(): void {
    this.#cancelled = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      while (this.#chunk === undefined && !this.#ended) await this.#wait();
      if (this.#chunk === undefined) return;
      const chunk = this.#chunk;
      this.#chunk = undefined;
      this.#wake();
      yield chunk;
    }
  }

  #wait(): Promise<void> {
    const before = this.#wake;
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = () => {};
        before();
        resolve();
      };
    });
  }
}

function cpioEntries(bytes: Buffer): TreeEntry[] {
  const { entries, end } = readNewc(bytes);
  if (end < bytes.length)
    throw new BootwrightError(
      "UNSUPPORTED",
      `cpio: something else follows at offset ${end}; give the segments one by one`,
    );
  const links = new Map<string, number>();
  const drafts = new Map<string, TreeEntry>();
  // The content of a hard-link group stands at one of its members; the others are empty.
  const bodies = new Map(
    entries.filter((entry) => entry.size > 0).map((entry) => [`${entry.segment}.${entry.inode}`, entry]),
  );
  for (const entry of entries) {
    const { path, mode, uid, gid, mtime, type } = entry;
    const common = { path, mode: mode & 0o7777, uid, gid, mtime };
    if (type === "file") {
      const group = `${entry.segment}.${entry.inode}`;
      const body = entry.nlink > 1 ? (bodies.get(group) ?? entry) : entry;
      const counter = new DigestCounter();
      counter.update(bytes.subarray(body.offset, body.offset + body.size));
      const content = { ...counter.digest(), ...(body.size > 0 && { pack: at(body.offset) }) };
      if (entry.nlink > 1 && !links.has(group)) links.set(group, links.size + 1);
      drafts.set(path, { type, ...common, content, ...(entry.nlink > 1 && { link: links.get(group)! }) });
    } else if (type === "symlink") drafts.set(path, { type, ...common, target: entry.target ?? "" });
    else if (type === "char" || type === "block")
      drafts.set(path, { type, ...common, major: entry.major, minor: entry.minor });
    else drafts.set(path, { type, ...common });
  }
  return [...drafts.values()];
}

/** data.tar of a deb(5), whatever its compression. */
async function* debContents(bytes: Iterable<Uint8Array>, what: string): AsyncGenerator<Uint8Array> {
  for await (const member of readAr(bytes, what)) {
    if (!member.name.startsWith("data.tar")) continue;
    yield* decompress(member.content(), { what: `${what} ${member.name}` });
    return;
  }
  throw new BootwrightError("FORMAT_INVALID", `${what}: a Debian package without data.tar`);
}

async function peek(chunks: AsyncIterable<Uint8Array>): Promise<{ first: Buffer; rest: AsyncIterable<Uint8Array> }> {
  const iterator = chunks[Symbol.asyncIterator]();
  const next = await iterator.next();
  const rest = async function* () {
    if (!next.done) yield next.value;
    for (let more = await iterator.next(); !more.done; more = await iterator.next()) yield more.value;
  };
  return { first: next.done ? Buffer.alloc(0) : Buffer.from(next.value), rest: rest() };
}
