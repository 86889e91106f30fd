/**
 * The canonical encoding of a file tree: one tree, one byte string, one digest. Described for other programs in
 * docs/internals/tree-format.md. The decoder refuses whatever the encoder would not have written.
 */
import { bytesFromPath, comparePaths, pathFromBytes } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import type { FileContent, FileEntry, FileTree, PackRef, TreeEntry, Xattr } from "./filetree.ts";
import { VarintReader } from "./varint-reader.ts";
import { VarintWriter } from "./varint-writer.ts";

const MAGIC = Buffer.from("bwtree\0\x01", "latin1");

const TYPE_CODES = {
  file: 1,
  directory: 2,
  symlink: 3,
  char: 4,
  block: 5,
  fifo: 6,
  socket: 7,
} as const satisfies Record<TreeEntry["type"], number>;
const TYPE_NAMES = ["", "file", "directory", "symlink", "char", "block", "fifo", "socket"] as const;

const HAS_MTIME = 1;
const HAS_XATTRS = 2;
const HAS_PACK = 4;
const HAS_LINK = 8;
const FOR_ALL = HAS_MTIME | HAS_XATTRS;
const FOR_FILES = FOR_ALL | HAS_PACK | HAS_LINK;

const MAX_MODE = 0o7777;
/** Linux's limits, without the ending NUL. */
const MAX_PATH = 4095;
const MAX_NAME = 255;

/**
 * Link groups are numbered as the encoding wants them, whatever numbers the entries carry. What else the decoder would refuse
 * is an error here, too: with a code for what may come from outside (PATH_UNSAFE, LIMIT_EXCEEDED for a mode), a plain one for what
 * is our own mistake.
 */
export function encodeTree(entries: FileTree): Buffer {
  const tree = numberLinks(entries);
  const packs = packTable(tree);
  const out = new VarintWriter(64 + tree.length * 80);
  out.bytes(MAGIC);
  out.varint(packs.size);
  for (const pack of packs.values()) {
    out.hex(pack.hash);
    out.varint(pack.size);
  }
  out.varint(tree.length);
  let previous: string | undefined;
  for (const entry of tree) {
    if (previous !== undefined && comparePaths(previous, entry.path) >= 0)
      throw new Error(`tree is not sorted at ${JSON.stringify(entry.path)}`);
    previous = entry.path;
    encodeEntry(out, entry, packs);
  }
  return out.done();
}

/** Throws FORMAT_INVALID for anything that is not a canonical tree: what is given back encodes to the same bytes. */
export function decodeTree(bytes: Uint8Array): FileTree {
  const input = new VarintReader(bytes, "file tree");
  if (Buffer.compare(input.take(MAGIC.length), MAGIC) !== 0)
    throw new BootwrightError("FORMAT_INVALID", "file tree: wrong magic at offset 0");
  const seen: Seen = { packs: [], packsUsed: 0, groups: [] };
  for (let n = input.count(33); n > 0; n--) seen.packs.push({ hash: input.hex(32), size: input.varint() });
  if (new Set(seen.packs.map((pack) => pack.hash)).size < seen.packs.length)
    throw input.invalid("a pack is listed twice");
  const tree: TreeEntry[] = [];
  let previous: string | undefined;
  for (let n = input.count(6); n > 0; n--) {
    const entry = decodeEntry(input, seen);
    if (previous !== undefined && comparePaths(previous, entry.path) >= 0)
      throw input.invalid("entries are not sorted");
    previous = entry.path;
    tree.push(entry);
  }
  if (!input.atEnd) throw input.invalid("bytes after the last entry");
  if (seen.packsUsed < seen.packs.length) throw input.invalid("a pack is listed that no entry points into");
  if (seen.groups.some((members) => members < 2)) throw input.invalid("a link group has one member only");
  return tree;
}

/** Groups of hard links numbered from 1 by first appearance; a group of one is no group. The same list where that is so already. */
export function numberLinks(sorted: FileTree): FileTree {
  const counts = new Map<number, number>();
  for (const entry of sorted)
    if (entry.type === "file" && entry.link !== undefined) counts.set(entry.link, (counts.get(entry.link) ?? 0) + 1);
  // The map holds the groups by first appearance.
  if ([...counts].every(([link, members], i) => link === i + 1 && members > 1)) return sorted;
  const groups = [...counts].filter(([, members]) => members > 1);
  const numbers = new Map(groups.map(([link], i) => [link, i + 1]));
  return sorted.map((entry) => {
    if (entry.type !== "file" || entry.link === undefined) return entry;
    const { link, ...alone } = entry;
    const number = numbers.get(link);
    return number === undefined ? alone : { ...alone, link: number };
  });
}

/** What the entries so far have used: both are numbered in the order in which they first appear. */
interface Seen {
  readonly packs: { hash: string; size: number }[];
  packsUsed: number;
  /** Members of each link group, from group 1 on. */
  readonly groups: number[];
}

function packTable(tree: FileTree): Map<string, { hash: string; size: number; index: number }> {
  const packs = new Map<string, { hash: string; size: number; index: number }>();
  for (const entry of tree) {
    const pack = entry.type === "file" ? entry.content.pack : undefined;
    if (pack !== undefined && !packs.has(pack.hash))
      packs.set(pack.hash, { hash: pack.hash, size: pack.size, index: packs.size });
  }
  return packs;
}

function encodeEntry(out: VarintWriter, entry: TreeEntry, packs: ReadonlyMap<string, { index: number }>): void {
  const pack = entry.type === "file" ? entry.content.pack : undefined;
  const link = entry.type === "file" ? entry.link : undefined;
  const xattrs = entry.xattrs ?? [];
  out.byte(TYPE_CODES[entry.type]);
  out.byte(
    (entry.mtime === undefined ? 0 : HAS_MTIME) |
      (xattrs.length > 0 ? HAS_XATTRS : 0) |
      (pack ? HAS_PACK : 0) |
      (link === undefined ? 0 : HAS_LINK),
  );
  const path = bytesFromPath(entry.path);
  if (!isSafe(path)) throw new BootwrightError("PATH_UNSAFE", `file tree: ${JSON.stringify(entry.path.slice(0, 200))}`);
  if (entry.mode > MAX_MODE)
    throw new BootwrightError("LIMIT_EXCEEDED", `/${entry.path}: mode ${entry.mode.toString(8)} is over 7777`);
  out.sized(path);
  out.varint(entry.mode);
  out.varint(entry.uid);
  out.varint(entry.gid);
  if (entry.mtime !== undefined) out.zigzag(entry.mtime);
  if (xattrs.length > 0) {
    out.varint(xattrs.length);
    let previous: string | undefined;
    for (const { name, value } of xattrs) {
      if (previous !== undefined && comparePaths(previous, name) >= 0)
        throw new Error(`extended attributes of /${entry.path} are not sorted at ${name}`);
      previous = name;
      out.sized(bytesFromPath(name));
      out.sized(value);
    }
  }
  switch (entry.type) {
    case "file":
      out.hex(entry.content.hash);
      out.varint(entry.content.size);
      if (pack) {
        out.varint(packs.get(pack.hash)!.index);
        out.varint(pack.offset);
      }
      if (link !== undefined) out.varint(link);
      break;
    case "symlink":
      out.sized(bytesFromPath(entry.target));
      break;
    case "char":
    case "block":
      out.varint(entry.major);
      out.varint(entry.minor);
      break;
    default:
      break;
  }
}

function decodeEntry(input: VarintReader, seen: Seen): TreeEntry {
  const type = TYPE_NAMES[input.byte()];
  if (!type) throw input.invalid("unknown entry type");
  const flags = input.byte();
  if ((flags & ~(type === "file" ? FOR_FILES : FOR_ALL)) !== 0)
    throw input.invalid(`a ${type} cannot have these flags`);
  const pathBytes = input.sized(MAX_PATH);
  if (!isSafe(pathBytes)) throw input.invalid("unsafe path");
  const path = pathFromBytes(pathBytes);
  const mode = input.varint();
  if (mode > MAX_MODE) throw input.invalid("mode has more than the permission bits");
  const uid = input.varint();
  const gid = input.varint();
  const common = {
    path,
    mode,
    uid,
    gid,
    ...(flags & HAS_MTIME ? { mtime: input.zigzag() } : {}),
    ...(flags & HAS_XATTRS ? { xattrs: decodeXattrs(input) } : {}),
  };
  switch (type) {
    case "file":
      return decodeFile(input, { common, flags, seen });
    case "symlink":
      return { type, ...common, target: pathFromBytes(input.sized(4096)) };
    case "char":
    case "block":
      return { type, ...common, major: input.varint(), minor: input.varint() };
    default:
      return { type: type as "directory" | "fifo" | "socket", ...common } as TreeEntry;
  }
}

function decodeFile(
  input: VarintReader,
  { common, flags, seen }: { common: Omit<FileEntry, "type" | "content">; flags: number; seen: Seen },
): FileEntry {
  const hash = input.hex(32);
  const size = input.varint();
  let content: FileContent = { hash, size };
  if (flags & HAS_PACK) {
    const index = input.varint();
    const pack = seen.packs[index];
    if (pack === undefined) throw input.invalid("unknown pack");
    if (index > seen.packsUsed) throw input.invalid("packs are not in the order of their use");
    if (index === seen.packsUsed) seen.packsUsed++;
    const ref: PackRef = { hash: pack.hash, size: pack.size, offset: input.varint() };
    if (ref.offset + size > ref.size) throw input.invalid("content ends outside its pack");
    content = { hash, size, pack: ref };
  }
  return { type: "file", ...common, content, ...(flags & HAS_LINK ? { link: decodeLink(input, seen) } : {}) };
}

function decodeLink(input: VarintReader, { groups }: Seen): number {
  const link = input.varint();
  if (link < 1 || link > groups.length + 1) throw input.invalid("link groups are not numbered in order");
  groups[link - 1] = (groups[link - 1] ?? 0) + 1;
  return link;
}

function decodeXattrs(input: VarintReader): Xattr[] {
  const xattrs: Xattr[] = [];
  for (let n = input.count(2); n > 0; n--) {
    const name = pathFromBytes(input.sized(255));
    const previous = xattrs.at(-1)?.name;
    if (previous !== undefined && comparePaths(previous, name) >= 0)
      throw input.invalid("extended attributes are not sorted");
    xattrs.push({ name, value: Buffer.from(input.sized(65536)) });
  }
  if (xattrs.length === 0) throw input.invalid("no extended attributes where some are announced");
  return xattrs;
}

/** The rules of safePath, on bytes and without making anything: this looks at every byte of every path that is read. */
function isSafe(path: Uint8Array): boolean {
  const { length } = path;
  if (length > MAX_PATH) return false;
  let start = 0;
  for (let i = 0; i <= length; i++) {
    const byte = i < length ? path[i]! : SLASH;
    if (byte === 0) return false;
    if (byte !== SLASH) continue;
    const size = i - start;
    if (size > MAX_NAME || (size === 0 && length > 0)) return false;
    if (path[start] === DOT && (size === 1 || (size === 2 && path[start + 1] === DOT))) return false;
    start = i + 1;
  }
  return true;
}

const SLASH = 0x2f;
const DOT = 0x2e;
