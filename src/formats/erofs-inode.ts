/**
 * Inodes of EROFS: 32 bytes where time, owners, links and size are small or those of the volume, else 64. Attributes and the
 * content's last part follow at once ("inline"), so that a small file costs no block of its own.
 */
import { BootwrightError } from "../base/errors.ts";
import { type ErofsXattrs, encodeXattrBody, xattrCount } from "./erofs-xattr.ts";

export const EROFS_BLOCK = 4096;
/** An inode's number is its place in units of this. */
export const INODE_SLOT = 32;

const FLAT_PLAIN = 0;
const FLAT_INLINE = 2;
/** raw_blkaddr where there is no block. */
const NO_BLOCK = 0xffff_ffff;

export interface ErofsInode {
  /** From 1; what a 32-bit program sees. */
  readonly number: number;
  /** Named in errors. */
  readonly path: string;
  /** Type and permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the epoch. */
  readonly time: number;
  readonly xattrs: ErofsXattrs | undefined;
  /** Of a device, as the kernel's new_encode_dev. */
  readonly device?: number;
  links: number;
  /** Bytes. */
  size: number;
  /** What follows is set when places are given out. 32 or 64 bytes. */
  headSize: number;
  /** Bytes from the start of the volume. */
  at: number;
  /** First block of the content, of those that are not inline. */
  block: number;
  /** Bytes of the content that stand behind the inode. */
  tail: number;
}

/** The number by which directories name an inode. */
export const nidOf = (inode: ErofsInode): number => inode.at / INODE_SLOT;

/** Inode and attributes, without the inline part of the content. */
export const bodySize = (inode: ErofsInode): number => inode.headSize + (inode.xattrs?.size ?? 0);

/** Blocks of the content that are not inline. */
export const blockCount = (inode: ErofsInode): number => Math.ceil((inode.size - inode.tail) / EROFS_BLOCK);

/** `epoch`: the volume's own time, which a small inode has. */
export function headSizeOf(inode: ErofsInode, epoch: number): 32 | 64 {
  const small =
    inode.time === epoch &&
    inode.uid <= 0xffff &&
    inode.gid <= 0xffff &&
    inode.links <= 0xffff &&
    inode.size <= 0xffff_ffff;
  return small ? 32 : 64;
}

/** Fills `out`, which is all zeros, with inode and attributes. */
export function writeInode(out: Buffer, inode: ErofsInode): void {
  const extended = inode.headSize === 64;
  out.writeUInt16LE((extended ? 1 : 0) | ((inode.tail > 0 ? FLAT_INLINE : FLAT_PLAIN) << 1), 0);
  out.writeUInt16LE(xattrCount(inode.xattrs), 2);
  out.writeUInt16LE(inode.mode, 4);
  out.writeUInt32LE(inode.device ?? (blockCount(inode) > 0 ? inode.block : NO_BLOCK), 16);
  out.writeUInt32LE(inode.number, 20);
  if (extended) {
    const { seconds, nanoseconds } = splitTime(inode.time, inode.path);
    out.writeBigUInt64LE(BigInt(inode.size), 8);
    out.writeUInt32LE(inode.uid, 24);
    out.writeUInt32LE(inode.gid, 28);
    out.writeBigInt64LE(BigInt(seconds), 32);
    out.writeUInt32LE(nanoseconds, 40);
    out.writeUInt32LE(inode.links, 44);
  } else {
    out.writeUInt16LE(inode.links, 6);
    out.writeUInt32LE(inode.size, 8);
    out.writeUInt16LE(inode.uid, 24);
    out.writeUInt16LE(inode.gid, 26);
  }
  if (inode.xattrs !== undefined) out.set(encodeXattrBody(inode.xattrs), inode.headSize);
}

export function splitTime(time: number, path: string): { seconds: number; nanoseconds: number } {
  const seconds = Math.floor(time);
  const nanoseconds = Math.round((time - seconds) * 1e9);
  if (!Number.isSafeInteger(seconds)) throw new BootwrightError("LIMIT_EXCEEDED", `EROFS: ${path}: time ${time}`);
  return nanoseconds === 1e9 ? { seconds: seconds + 1, nanoseconds: 0 } : { seconds, nanoseconds };
}
