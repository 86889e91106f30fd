/**
 * Writes newc cpio, the archive format of Linux initramfs (Documentation/driver-api/early-userspace/buffer-format.rst).
 * Deterministic: inode numbers count up in the order of the entries, times are given, device numbers of the "file
 * system" are 0. Of a hard-link group the last entry carries the content, as GNU cpio writes it; the kernel reads both orders.
 */
import { bytesFromPath } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { ChunkBatcher } from "./chunk-batcher.ts";
import { FILE_TYPE_BITS, type FileEntry, type FileTree, type ReadContent, type TreeEntry } from "./filetree.ts";

export interface NewcOptions {
  readonly read: ReadContent;
  /** Seconds since the epoch, for entries without their own time. */
  readonly mtime: number;
  /** newc has no place for extended attributes: by default an entry that has some is refused. */
  readonly dropXattrs?: boolean;
}

export const NEWC_MAGIC = "070701";
export const NEWC_HEADER_SIZE = 110;
export const NEWC_TRAILER = "TRAILER!!!";
/** The kernel's PATH_MAX, which holds for names (with their NUL) and for symlink targets. */
export const NEWC_PATH_MAX = 4096;
const UINT32_MAX = 0xffff_ffff;
/** GNU cpio's block; it also keeps a following segment aligned. */
const BLOCK = 512;

/**
 * Yields the archive in chunks of about 1 MiB, trailer and padding to 512 bytes included. Throws LIMIT_EXCEEDED for what
 * does not fit a field (4 GiB − 1 bytes a file, 32-bit owners and times, 4095-byte names), UNSUPPORTED for extended
 * attributes, and a plain Error when `read` does not deliver exactly the content's size.
 */
export function* encodeNewc(tree: FileTree, options: NewcOptions): Generator<Uint8Array> {
  const out = new ChunkBatcher();
  const links = new HardLinks(tree);
  let inode = 0;
  for (const entry of tree) {
    if (entry.xattrs !== undefined && entry.xattrs.length > 0 && options.dropXattrs !== true) throw xattrError(entry);
    const link = entry.type === "file" ? links.visit(entry) : undefined;
    const ino = link === undefined || link.inode === 0 ? ++inode : link.inode;
    if (link !== undefined) link.inode = ino;
    const target = entry.type === "symlink" ? bytesFromPath(entry.target) : undefined;
    if (target !== undefined && target.length >= NEWC_PATH_MAX)
      throw limit(entry.path, `symlink target of ${target.length} bytes`, NEWC_PATH_MAX - 1);
    const hasBody = entry.type === "file" && (link === undefined || link.left === 0);
    const size = hasBody ? entry.content.size : (target?.length ?? 0);
    const nlink = link?.count ?? (entry.type === "directory" ? 2 : 1);
    yield* header(out, { entry, ino, nlink, size, mtime: entry.mtime ?? options.mtime });
    if (target !== undefined) yield* out.write(target);
    else if (hasBody && size > 0) yield* body(out, entry, options.read);
    yield* out.pad(4);
  }
  yield* header(out, { entry: TRAILER_ENTRY, ino: 0, nlink: 1, size: 0, mtime: 0 });
  yield* out.pad(BLOCK);
  yield* out.flush();
}

interface LinkGroup {
  readonly count: number;
  readonly first: FileEntry;
  left: number;
  inode: number;
}

/** Counts the hard-link groups first, because each member's header holds the group's size. */
class HardLinks {
  readonly #groups = new Map<number, LinkGroup>();

  constructor(tree: FileTree) {
    for (const entry of tree) {
      if (entry.type !== "file" || entry.link === undefined) continue;
      const group = this.#groups.get(entry.link);
      const count = (group?.count ?? 0) + 1;
      this.#groups.set(entry.link, { count, left: count, first: group?.first ?? entry, inode: 0 });
    }
  }

  visit(entry: FileEntry): LinkGroup | undefined {
    if (entry.link === undefined) return undefined;
    const group = this.#groups.get(entry.link)!;
    if (group.first.content.hash !== entry.content.hash || group.first.content.size !== entry.content.size)
      throw new Error(`hard link ${entry.path} differs in content from ${group.first.path}`);
    group.left--;
    return group;
  }
}

interface Header {
  readonly entry: TreeEntry;
  readonly ino: number;
  readonly nlink: number;
  readonly size: number;
  readonly mtime: number;
}

function* header(out: ChunkBatcher, fields: Header): Generator<Uint8Array> {
  const { entry, size, mtime } = fields;
  const trailer = entry === TRAILER_ENTRY;
  if (entry.path === NEWC_TRAILER && !trailer)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `newc: a file cannot be named ${NEWC_TRAILER}: that name ends the archive`,
    );
  const device = entry.type === "char" || entry.type === "block";
  const name = entry.path === "" ? DOT : bytesFromPath(entry.path);
  if (name.length >= NEWC_PATH_MAX) throw limit(entry.path, `name of ${name.length} bytes`, NEWC_PATH_MAX - 1);
  if (size > UINT32_MAX) throw limit(entry.path, `${size} bytes`, UINT32_MAX);
  if (!(mtime >= 0 && mtime <= UINT32_MAX)) throw limit(entry.path, `time ${mtime}`, UINT32_MAX);
  for (const id of [entry.uid, entry.gid])
    if (!(id >= 0 && id <= UINT32_MAX)) throw limit(entry.path, `owner ${id}`, UINT32_MAX);
  const room = yield* out.reserve(NEWC_HEADER_SIZE + name.length + 1);
  room.write(NEWC_MAGIC, "latin1");
  writeHex(room, 6, fields.ino);
  writeHex(room, 14, trailer ? 0 : FILE_TYPE_BITS[entry.type] | entry.mode);
  writeHex(room, 22, entry.uid);
  writeHex(room, 30, entry.gid);
  writeHex(room, 38, fields.nlink);
  writeHex(room, 46, Math.floor(mtime));
  writeHex(room, 54, size);
  writeHex(room, 62, 0); // Device numbers of the file system that held the file: none did.
  writeHex(room, 70, 0);
  writeHex(room, 78, device ? entry.major : 0);
  writeHex(room, 86, device ? entry.minor : 0);
  writeHex(room, 94, name.length + 1);
  writeHex(room, 102, 0); // Checksum: only the "crc" variant has one.
  room.set(name, NEWC_HEADER_SIZE);
  room[NEWC_HEADER_SIZE + name.length] = 0;
  yield* out.pad(4);
}

function* body(out: ChunkBatcher, entry: FileEntry, read: ReadContent): Generator<Uint8Array> {
  let written = 0;
  for (const chunk of read(entry.content)) {
    written += chunk.length;
    if (written > entry.content.size) break;
    yield* out.write(chunk);
  }
  if (written !== entry.content.size)
    throw new Error(`newc: ${entry.path}: wrote ${written} of ${entry.content.size} bytes; the archive is damaged`);
}

const TRAILER_ENTRY: TreeEntry = { type: "fifo", path: NEWC_TRAILER, mode: 0, uid: 0, gid: 0 };
const DOT = Buffer.from(".");
const HEX = Buffer.from("0123456789abcdef");

function writeHex(room: Buffer, at: number, value: number): void {
  let rest = value;
  for (let i = at + 7; i >= at; i--) {
    room[i] = HEX[rest & 15]!;
    rest >>>= 4;
  }
}

const limit = (path: string, what: string, most: number): BootwrightError =>
  new BootwrightError("LIMIT_EXCEEDED", `newc: ${path}: ${what}; the format holds at most ${most}`);

const xattrError = (entry: TreeEntry): BootwrightError =>
  new BootwrightError(
    "UNSUPPORTED",
    `newc cannot hold the extended attributes of ${entry.path} (${entry.xattrs!.map((xattr) => xattr.name).join(", ")})`,
    { hint: "drop them, or put the file into an image whose format holds them (SquashFS, EROFS, ext4)" },
  );
