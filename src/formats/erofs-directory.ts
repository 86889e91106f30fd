/**
 * Directories of EROFS: blocks of fixed entries, each followed by its names; names rise by bytes over the whole directory,
 * so that the kernel finds one by halving (fs/erofs/namei.c). The last block ends with the directory's size.
 */
import { bytesFromPath, comparePaths } from "../base/bytes.ts";
import { EROFS_BLOCK, type ErofsInode, nidOf } from "./erofs-inode.ts";
import { ENTRY_TYPES } from "./filetree.ts";

const DIRENT = 12;

export interface ErofsDirent {
  readonly name: string;
  readonly inode: ErofsInode;
  readonly type: number;
}

export interface ErofsDirectory {
  /** With "." and "..", in order. */
  readonly items: readonly ErofsDirent[];
  /** The first item of each block. */
  readonly starts: readonly number[];
  /** Bytes. */
  readonly size: number;
}

export function planDirectory(names: readonly ErofsDirent[], self: ErofsInode, parent: ErofsInode): ErofsDirectory {
  const type = ENTRY_TYPES.directory;
  const items = [...names, { name: ".", inode: self, type }, { name: "..", inode: parent, type }];
  items.sort((a, b) => comparePaths(a.name, b.name));
  const starts = [0];
  let used = 0;
  for (const [i, { name }] of items.entries()) {
    const size = DIRENT + nameLength(name);
    if (used + size > EROFS_BLOCK) {
      starts.push(i);
      used = 0;
    }
    used += size;
  }
  return { items, starts, size: (starts.length - 1) * EROFS_BLOCK + used };
}

/** Block `index`; all but the last are full blocks. Every inode has its place by now. */
export function encodeDirectoryBlock({ items, starts, size }: ErofsDirectory, index: number): Buffer {
  const last = index === starts.length - 1;
  const inside = items.slice(starts[index], starts[index + 1]);
  const out = Buffer.alloc(last ? size - index * EROFS_BLOCK : EROFS_BLOCK);
  let nameAt = inside.length * DIRENT;
  for (const [i, { name, inode, type }] of inside.entries()) {
    const at = i * DIRENT;
    out.writeBigUInt64LE(BigInt(nidOf(inode)), at);
    out.writeUInt16LE(nameAt, at + 8);
    out[at + 10] = type;
    nameAt += bytesFromPath(name).copy(out, nameAt);
  }
  return out;
}

const nameLength = (name: string): number =>
  name.isWellFormed() ? Buffer.byteLength(name) : bytesFromPath(name).length;
