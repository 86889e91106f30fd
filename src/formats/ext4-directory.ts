/**
 * Directories (Documentation/filesystems/ext4/directory.rst). What fits one block is a plain list; a larger one is a hash
 * tree, whose first block is its root, then come the leaves, and last the inner nodes if there are any. Every block is a
 * valid list of entries to a reader that knows no trees.
 */
import { alignUp, bytesFromPath } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { crc32c, crc32cNumber } from "./crc32c.ts";
import { EXT4_BLOCK } from "./ext4-layout.ts";
import { hashName, type NameHash } from "./ext4-name-hash.ts";
import { ENTRY_TYPES } from "./filetree.ts";

export interface DirectoryItem {
  readonly inode: number;
  readonly name: string;
  /** The type's number in directory entries. */
  readonly type: number;
}

export interface DirectoryPlan {
  readonly blocks: number;
  /** Absent: one block, a plain list; further blocks are spare. */
  readonly leaves?: readonly Leaf[];
}

interface Leaf {
  /** Of its first name; the low bit says that the leaf before ends with the same hash. */
  readonly hash: number;
  readonly items: readonly DirectoryItem[];
}

const HALF_MD4 = 1;
const TAIL = 12;
const LIST_END = EXT4_BLOCK - TAIL;
const ROOT_INDEX = 32;
const NODE_INDEX = 8;
/** An index ends with 8 bytes for its checksum. */
const ROOT_LIMIT = (EXT4_BLOCK - ROOT_INDEX - 8) / 8;
const NODE_LIMIT = (EXT4_BLOCK - NODE_INDEX - 8) / 8;

export function planDirectory(items: readonly DirectoryItem[], hashSeed: Uint32Array, path: string): DirectoryPlan {
  let size = 2 * entrySize(1);
  for (const { name } of items) size += entrySize(nameLength(name));
  if (size <= LIST_END) return { blocks: 1 };
  const leaves = packLeaves(items, hashSeed);
  const nodes = nodeCount(leaves.length);
  if (nodes > ROOT_LIMIT)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `ext4: ${path}: ${items.length} names are more than one directory holds`,
    );
  return { blocks: 1 + leaves.length + nodes, leaves };
}

/** `seed`: the directory inode's checksum seed. */
export function* encodeDirectory(
  plan: DirectoryPlan,
  dir: { items: readonly DirectoryItem[]; inode: number; parent: number; seed: number },
): Generator<Buffer> {
  const dots = [
    { inode: dir.inode, name: ".", type: ENTRY_TYPES.directory },
    { inode: dir.parent, name: "..", type: ENTRY_TYPES.directory },
  ];
  if (plan.leaves === undefined) {
    yield encodeList([...dots, ...dir.items], dir.seed);
    for (let spare = 1; spare < plan.blocks; spare++) yield encodeList([], dir.seed);
    return;
  }
  const { leaves } = plan;
  const pointers = leaves.map(({ hash }, i): Pointer => ({ hash, block: 1 + i }));
  const groups: Pointer[][] = [];
  if (nodeCount(leaves.length) > 0)
    for (let from = 0; from < pointers.length; from += NODE_LIMIT) groups.push(pointers.slice(from, from + NODE_LIMIT));
  const top = groups.map((group, i): Pointer => ({ hash: group[0]!.hash, block: 1 + leaves.length + i }));
  yield encodeRoot(dots, groups.length === 0 ? pointers : top, { levels: groups.length === 0 ? 0 : 1, seed: dir.seed });
  for (const { items } of leaves) yield encodeList(items, dir.seed);
  for (const group of groups) yield encodeNode(group, dir.seed);
}

interface Pointer {
  readonly hash: number;
  readonly block: number;
}

const nodeCount = (leaves: number): number => (leaves <= ROOT_LIMIT ? 0 : Math.ceil(leaves / NODE_LIMIT));

function packLeaves(items: readonly DirectoryItem[], hashSeed: Uint32Array): Leaf[] {
  const hashed = items.map((item): { item: DirectoryItem; hash: NameHash; size: number } => {
    const name = bytesFromPath(item.name);
    return { item, hash: hashName(name, hashSeed), size: entrySize(name.length) };
  });
  hashed.sort((a, b) => a.hash.major - b.hash.major || a.hash.minor - b.hash.minor);
  const leaves: Leaf[] = [];
  let open: DirectoryItem[] = [];
  let used = 0;
  let last = -1;
  let first = 0;
  for (const { item, hash, size } of hashed) {
    if (used + size > LIST_END) {
      leaves.push({ hash: first, items: open });
      open = [];
      used = 0;
      first = hash.major === last ? hash.major + 1 : hash.major;
    }
    open.push(item);
    used += size;
    last = hash.major;
  }
  leaves.push({ hash: first, items: open });
  return leaves;
}

/** The last entry reaches up to the checksum. */
function encodeList(items: readonly DirectoryItem[], seed: number): Buffer {
  const out = Buffer.alloc(EXT4_BLOCK);
  let at = 0;
  let before = 0;
  for (const item of items) {
    before = at;
    at = writeEntry(out, at, item);
  }
  out.writeUInt16LE(LIST_END - before, before + 4);
  out.writeUInt16LE(TAIL, LIST_END + 4);
  out[LIST_END + 7] = 0xde; // An entry of inode 0 with a type that no file has: the tail.
  out.writeUInt32LE(crc32c(seed, out, 0, LIST_END), LIST_END + 8);
  return out;
}

function encodeRoot(dots: readonly DirectoryItem[], index: readonly Pointer[], tree: { levels: number; seed: number }) {
  const out = Buffer.alloc(EXT4_BLOCK);
  let at = 0;
  for (const item of dots) at = writeEntry(out, at, item);
  out.writeUInt16LE(EXT4_BLOCK - entrySize(1), entrySize(1) + 4);
  out[at + 4] = HALF_MD4;
  out[at + 5] = 8; // Bytes of these fields.
  out[at + 6] = tree.levels;
  writeIndex(out, index, { at: ROOT_INDEX, limit: ROOT_LIMIT, seed: tree.seed });
  return out;
}

function encodeNode(index: readonly Pointer[], seed: number): Buffer {
  const out = Buffer.alloc(EXT4_BLOCK);
  out.writeUInt16LE(EXT4_BLOCK, 4); // One unused entry over the whole block.
  writeIndex(out, index, { at: NODE_INDEX, limit: NODE_LIMIT, seed });
  return out;
}

/** The first pointer has no hash: limit and count stand there. */
function writeIndex(
  out: Buffer,
  index: readonly Pointer[],
  { at, limit, seed }: Record<"at" | "limit" | "seed", number>,
) {
  for (const [i, { hash, block }] of index.entries()) {
    out.writeUInt32LE(hash, at + 8 * i);
    out.writeUInt32LE(block, at + 8 * i + 4);
  }
  out.writeUInt16LE(limit, at);
  out.writeUInt16LE(index.length, at + 2);
  // The checksum is over what is in use, the tail's reserved word, and itself as zero.
  const crc = crc32c(seed, out, 0, at + 8 * index.length);
  out.writeUInt32LE(crc32cNumber(crc32cNumber(crc, 0), 0), at + 8 * limit + 4);
}

function writeEntry(out: Buffer, at: number, { inode, name, type }: DirectoryItem): number {
  const bytes = bytesFromPath(name);
  const size = entrySize(bytes.length);
  out.writeUInt32LE(inode, at);
  out.writeUInt16LE(size, at + 4);
  out[at + 6] = bytes.length;
  out[at + 7] = type;
  out.set(bytes, at + 8);
  return at + size;
}

const entrySize = (name: number): number => alignUp(8 + name, 4);

/** In bytes. */
export const nameLength = (name: string): number =>
  name.isWellFormed() ? Buffer.byteLength(name) : bytesFromPath(name).length;
