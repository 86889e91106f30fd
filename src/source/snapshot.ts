/**
 * Local directories as trees, without reading what has not changed. A directory is walked with lstat; when size, times
 * and inode of every file are those of the last walk, the tree's digest is known without opening one.
 *
 * A file written twice within one tick of the file system's clock can keep its times. So whatever was changed less than
 * a tick before the walk began is not trusted the next time ("racy", as git calls it).
 */
import { hash } from "node:crypto";
import fs from "node:fs";
import { bytesFromPath, comparePaths, pathFromBytes } from "../base/bytes.ts";
import { systemClock } from "../base/clock.ts";
import { type Digest, digestOf } from "../base/digest.ts";
import { BootwrightError, ioError } from "../base/errors.ts";
import { baseName, type FileTree, type TreeEntry } from "../formats/filetree.ts";
import { decodeTree, encodeTree } from "../formats/filetree-codec.ts";
import { hashFile } from "../store/blobs.ts";
import type { Store } from "../store/store.ts";

export interface Snapshot {
  readonly root: string;
  /** Digest and size of the tree's encoding. */
  readonly digest: Digest;
  /** The tree itself; not made when nothing has changed and nobody asks. */
  tree(): FileTree;
  /** How many files were read to make this. */
  readonly hashed: number;
  readonly files: number;
}

interface Seen {
  /** The path below the root as the file system gives it. */
  readonly path: string;
  readonly stat: fs.BigIntStats;
}

/** What is remembered of the last walk. */
interface Memory {
  readonly fingerprint: string;
  readonly hash: string;
  readonly size: number;
  /** path → [stamp, sha256, size]; racy files are left out. */
  readonly files: Readonly<Record<string, readonly [string, string, number]>>;
}

/** Nanoseconds: longest step of a kernel's file time (CONFIG_HZ=100), doubled. */
const TICK_NS = 20_000_000n;
/** For file systems with whole seconds (or FAT's two). */
const COARSE_NS = 2_000_000_000n;

/** Walks a directory, or takes a lone file as a tree of one entry named "". Throws PATH_MISSING. */
export function takeSnapshot(
  root: string,
  options: { store: Store | undefined; ignore?: (path: string) => boolean },
): Snapshot {
  const { store } = options;
  const startedNs = BigInt(systemClock.now()) * 1_000_000n;
  const seen: Seen[] = [];
  const stat = statRoot(root);
  if (stat.isDirectory()) walk({ root, below: "", seen, ignore: options.ignore ?? (() => false) });
  else seen.push({ path: "", stat });
  const stamps = seen.map(({ path, stat }) => `${path}\0${stampOf(stat)}`);
  const fingerprint = hash("sha256", stamps.join("\n"), "hex");
  const memory = store === undefined ? undefined : recall(store, root);
  if (memory !== undefined && memory.fingerprint === fingerprint) {
    const digest = { hash: memory.hash, size: memory.size };
    let tree: FileTree | undefined;
    const make = (): FileTree => {
      tree ??= store!.blobs.has(digest)
        ? decodeTree(store!.blobs.readAll(digest))
        : readTree(root, { seen, memory }).tree;
      return tree;
    };
    return { root, digest, tree: make, hashed: 0, files: seen.length };
  }
  const made = readTree(root, { seen, memory });
  const digest = digestOf(encodeTree(made.tree));
  if (store !== undefined && !store.readonly)
    remember(store, root, { seen, made: made.tree, digest, fingerprint, startedNs });
  return { root, digest, tree: () => made.tree, hashed: made.hashed, files: seen.length };
}

/** The root itself may be a link: the user named it. */
function statRoot(root: string): fs.BigIntStats {
  let stat: fs.BigIntStats | undefined;
  try {
    stat = fs.statSync(root, { bigint: true, throwIfNoEntry: false });
  } catch (error) {
    throw ioError("read", root, error);
  }
  if (stat === undefined) throw new BootwrightError("PATH_MISSING", `${root} does not exist`);
  return stat;
}

function walk({
  root,
  below,
  seen,
  ignore,
}: {
  root: string;
  below: string;
  seen: Seen[];
  ignore: (path: string) => boolean;
}): void {
  const dir = below === "" ? root : hostPath(root, below);
  let names: string[];
  try {
    names = fs.readdirSync(dir, "utf8");
    // A name need not be UTF-8. The common case is plain text, and twice as fast.
    if (names.some((name) => name.includes("\ufffd")))
      names = fs.readdirSync(hostPath(root, below), "buffer").map(pathFromBytes);
  } catch (error) {
    throw ioError("read directory", `${root}/${below}`, error);
  }
  for (const name of names.sort()) {
    const at = below === "" ? name : `${below}/${name}`;
    if (ignore(at)) continue;
    const stat = fs.lstatSync(hostPath(root, at), { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) continue; // Gone since readdir: as if it had never been.
    seen.push({ path: at, stat });
    if (stat.isDirectory()) walk({ root, below: at, seen, ignore });
  }
}

/** Owner and times of a work tree are accidents; of the mode, whether a file can be run is meant. */
function readTree(
  root: string,
  { seen, memory }: { seen: readonly Seen[]; memory: Memory | undefined },
): { tree: FileTree; hashed: number } {
  const tree: TreeEntry[] = [];
  let hashed = 0;
  for (const { path: at, stat } of seen) {
    const common = { path: at, uid: 0, gid: 0 };
    if (stat.isDirectory()) tree.push({ type: "directory", ...common, mode: 0o755 });
    else if (stat.isSymbolicLink())
      tree.push({
        type: "symlink",
        ...common,
        mode: 0o777,
        target: pathFromBytes(fs.readlinkSync(hostPath(root, at), "buffer")),
      });
    else if (stat.isFile()) {
      const known = memory?.files[at];
      let content: Digest;
      if (known !== undefined && known[0] === stampOf(stat)) content = { hash: known[1], size: known[2] };
      else {
        content = hashFile(hostPath(root, at));
        hashed++;
      }
      tree.push({ type: "file", ...common, mode: stat.mode & 0o111n ? 0o755 : 0o644, content });
    } else
      throw new BootwrightError("UNSUPPORTED", `${root}/${at} is neither file, directory nor symbolic link`, {
        hint: `declare devices in the config: "/dev/${baseName(at)}": { device: "c 5 1" }`,
      });
  }
  return { tree: tree.sort((a, b) => comparePaths(a.path, b.path)), hashed };
}

/** Copies the contents of a snapshot into the store. Throws when a file changed meanwhile: the next build sees it. */
export function storeSnapshot(
  snapshot: Snapshot,
  options: { store: Store; signal: AbortSignal; progress: (done: number, total: number) => void },
): void {
  const { store, signal, progress } = options;
  const tree = snapshot.tree();
  const files = tree.filter((entry) => entry.type === "file");
  for (const [i, { path: at, content }] of files.entries()) {
    signal.throwIfAborted();
    progress(i, files.length);
    if (store.blobs.has(content)) continue;
    const file = hostPath(snapshot.root, at);
    const got =
      content.size < 16 * 1024 * 1024 ? store.blobs.put(readFile(file)) : store.blobs.putSync(readChunks(file));
    if (got.hash !== content.hash)
      throw new BootwrightError("IO", `${snapshot.root}/${at} changed while it was read`, { hint: "build again" });
  }
  store.putTree(tree);
}

function remember(
  store: Store,
  root: string,
  {
    seen,
    made,
    digest,
    fingerprint,
    startedNs,
  }: { seen: readonly Seen[]; made: FileTree; digest: Digest; fingerprint: string; startedNs: bigint },
): void {
  const contents = new Map(made.map((entry) => [entry.path, entry]));
  const files: Record<string, [string, string, number]> = {};
  let racy = false;
  for (const { path: at, stat } of seen) {
    if (isRacy(stat, startedNs)) racy = true;
    else {
      const entry = contents.get(at);
      if (entry?.type === "file") files[at] = [stampOf(stat), entry.content.hash, entry.content.size];
    }
  }
  const memory: Memory = { fingerprint: racy ? "" : fingerprint, hash: digest.hash, size: digest.size, files };
  try {
    store.db.run(
      "INSERT OR REPLACE INTO snapshots (root, data, used) VALUES (?, ?, ?)",
      root,
      Buffer.from(JSON.stringify(memory)),
      systemClock.now(),
    );
  } catch {
    // Only a memory: the next walk reads more.
  }
}

function recall(store: Store, root: string): Memory | undefined {
  const row = store.db.get<{ data: Uint8Array }>("SELECT data FROM snapshots WHERE root = ?", root);
  if (row === undefined) return undefined;
  try {
    return JSON.parse(Buffer.from(row.data).toString()) as Memory;
  } catch {
    return undefined;
  }
}

function isRacy(stat: fs.BigIntStats, startedNs: bigint): boolean {
  const margin = (ns: bigint) => (ns % 1_000_000_000n === 0n ? COARSE_NS : TICK_NS);
  return stat.ctimeNs + margin(stat.ctimeNs) >= startedNs || stat.mtimeNs + margin(stat.mtimeNs) >= startedNs;
}

const stampOf = (stat: fs.BigIntStats): string =>
  `${stat.mode}.${stat.size}.${stat.mtimeNs}.${stat.ctimeNs}.${stat.ino}`;

/** Bytes where text cannot say the name; see base/bytes.ts. */
const hostPath = (root: string, at: string): string | Buffer =>
  at === "" ? root : at.isWellFormed() ? `${root}/${at}` : Buffer.concat([Buffer.from(`${root}/`), bytesFromPath(at)]);

function readFile(file: string | Buffer): Buffer {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    throw ioError("read", file.toString(), error);
  }
}

function* readChunks(file: string | Buffer): Generator<Uint8Array> {
  const fd = fs.openSync(file, "r");
  try {
    for (;;) {
      const chunk = Buffer.allocUnsafe(1024 * 1024);
      const got = fs.readSync(fd, chunk, 0, chunk.length, null);
      if (got === 0) return;
      yield chunk.subarray(0, got);
    }
  } finally {
    fs.closeSync(fd);
  }
}
