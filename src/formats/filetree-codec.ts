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

/** Encodes entries that are sorted and unique; throws a plain error otherwise, since that is our own mistake. */
export function encodeTree(tree: FileTree): Buffer {
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

/** Throws FORMAT_INVALID for anything that is not a canonical tree. */
export function decodeTree(bytes: Uint8Array): FileTree {
  const input = new VarintReader(bytes, "file tree");
  if (Buffer.compare(input.take(MAGIC.length), MAGIC) !== 0)
    throw new BootwrightError("FORMAT_INVALID", "file tree: wrong magic at offset 0");
  const packs: { hash: string; size: number }[] = [];
  for (let n = input.count(33); n > 0; n--) packs.push({ hash: input.hex(32), size: input.varint() });
  const tree: TreeEntry[] = [];
  let previous: string | undefined;
  for (let n = input.count(6); n > 0; n--) {
    const entry = decodeEntry(input, packs);
    if (previous !== undefined && comparePaths(previous, entry.path) >= 0)
      throw input.invalid("entries are not sorted");
    previous = entry.path;
    tree.push(entry);
  }
  if (!input.atEnd) throw input.invalid("bytes after the last entry");
  return tree;
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
  out.sized(bytesFromPath(entry.path));
  out.varint(entry.mode);
  out.varint(entry.uid);
  out.varint(entry.gid);
  if (entry.mtime !== undefined) out.zigzag(entry.mtime);
  if (xattrs.length > 0) {
    out.varint(xattrs.length);
    for (const { name, value } of xattrs) {
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

function decodeEntry(input: VarintReader, packs: readonly { hash: string; size: number }[]): TreeEntry {
  const type = TYPE_NAMES[input.byte()];
  if (!type) throw input.invalid("unknown entry type");
  const flags = input.byte();
  const path = pathFromBytes(input.sized(4096));
  const mode = input.varint();
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
      return decodeFile(input, { common, flags, packs });
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
  {
    common,
    flags,
    packs,
  }: { common: Omit<FileEntry, "type" | "content">; flags: number; packs: readonly { hash: string; size: number }[] },
): FileEntry {
  const hash = input.hex(32);
  const size = input.varint();
  let content: FileContent = { hash, size };
  if (flags & HAS_PACK) {
    const pack = packs[input.varint()];
    if (pack === undefined) throw input.invalid("unknown pack");
    const ref: PackRef = { hash: pack.hash, size: pack.size, offset: input.varint() };
    if (ref.offset + size > ref.size) throw input.invalid("content ends outside its pack");
    content = { hash, size, pack: ref };
  }
  return { type: "file", ...common, content, ...(flags & HAS_LINK ? { link: input.varint() } : {}) };
}

function decodeXattrs(input: VarintReader): Xattr[] {
  const xattrs: Xattr[] = [];
  for (let n = input.count(2); n > 0; n--)
    xattrs.push({ name: pathFromBytes(input.sized(255)), value: Buffer.from(input.sized(65536)) });
  return xattrs;
}
