/**
 * A file tree is a value: a list of entries sorted by path bytes, each path once. Contents are named by digest and are
 * not part of the value. The canonical encoding is in `filetree-codec.ts`.
 */
import { comparePaths } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";

/** Where a content lies inside an imported archive that is kept whole. */
export interface PackRef {
  /** SHA-256 of the archive (hex) and its size in bytes. */
  readonly hash: string;
  readonly size: number;
  /** Offset of the content's first byte in the archive. */
  readonly offset: number;
}

export interface FileContent {
  /** SHA-256 of the content, hex. */
  readonly hash: string;
  /** Bytes. */
  readonly size: number;
  /** Absent: the content is a blob of its own. */
  readonly pack?: PackRef;
}

interface EntryCommon {
  /** Relative, `/`-separated, without leading or trailing slash, `.`, `..` or NUL; the root itself is "". Bytes as in base/bytes.ts. */
  readonly path: string;
  /** Permission bits, 0…0o7777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch; absent: the writer sets its fixed time. */
  readonly mtime?: number;
  /** Sorted by name. */
  readonly xattrs?: readonly Xattr[];
}

export interface Xattr {
  readonly name: string;
  readonly value: Uint8Array;
}

export interface FileEntry extends EntryCommon {
  readonly type: "file";
  readonly content: FileContent;
  /** Hard links: entries with the same number (≥ 1, in order of first appearance) are one inode. */
  readonly link?: number;
}

export interface DirectoryEntry extends EntryCommon {
  readonly type: "directory";
}

export interface SymlinkEntry extends EntryCommon {
  readonly type: "symlink";
  /** Bytes as in base/bytes.ts. */
  readonly target: string;
}

export interface DeviceEntry extends EntryCommon {
  readonly type: "char" | "block";
  readonly major: number;
  readonly minor: number;
}

export interface PipeEntry extends EntryCommon {
  readonly type: "fifo" | "socket";
}

export type TreeEntry = FileEntry | DirectoryEntry | SymlinkEntry | DeviceEntry | PipeEntry;

export type FileTree = readonly TreeEntry[];

/** The root of a tree that is whole and sorted. Throws plain Errors, which name `format`: such a tree is our own mistake. */
export function rootOf(tree: FileTree, format: string): DirectoryEntry {
  const [root] = tree;
  if (root?.path !== "" || root.type !== "directory") throw new Error(`${format}: the tree has no root directory`);
  let before: TreeEntry = root;
  for (const entry of tree.slice(1)) {
    if (comparePaths(before.path, entry.path) >= 0) throw new Error(`${format}: tree not sorted at ${entry.path}`);
    before = entry;
  }
  return root;
}

/** Reads a content in chunks; the store gives it. */
export type ReadContent = (content: FileContent) => Iterable<Uint8Array>;

/** S_IFMT bits of stat(2), which newc, tar devices, ext4 and EROFS all write. */
export const FILE_TYPE_BITS = {
  file: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  char: 0o020000,
  block: 0o060000,
  fifo: 0o010000,
  socket: 0o140000,
} as const satisfies Record<TreeEntry["type"], number>;

/** What the entries of directories say of each type, in ext4 and EROFS alike (kernel include/linux/fs_types.h, FT_*). */
export const ENTRY_TYPES = {
  file: 1,
  directory: 2,
  char: 3,
  block: 4,
  fifo: 5,
  socket: 6,
  symlink: 7,
} as const satisfies Record<TreeEntry["type"], number>;

/**
 * Normalizes a path that came from outside (`./etc//motd/` → `etc/motd`). Throws PATH_UNSAFE for `..`, NUL, absolute
 * paths (unless `absolute` allows and strips the leading slash), and components or paths over Linux's limits (255, 4095 bytes).
 */
export function safePath(text: string, origin: string, options: { absolute?: boolean } = {}): string {
  const fail = (why: string) =>
    new BootwrightError("PATH_UNSAFE", `${origin}: ${why}: ${JSON.stringify(text.slice(0, 200))}`);
  if (text.includes("\0")) throw fail("path holds a NUL byte");
  if (text.startsWith("/") && !options.absolute) throw fail("absolute path");
  if (text.length > 4095) throw fail("path longer than 4095 bytes");
  const parts = text.split("/").filter((part) => part !== "" && part !== ".");
  for (const part of parts) {
    if (part === "..") throw fail("path leaves the tree");
    if (part.length > 63 && Buffer.byteLength(part) > 255) throw fail("name longer than 255 bytes");
  }
  return parts.join("/");
}

/** The path of the directory that holds `path`; "" for names at the top. */
export const parentPath = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));

export const baseName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
