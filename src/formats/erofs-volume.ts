/** A laid out EROFS volume as writes in rising order. */
import { CRC_START, crc32c } from "./crc32c.ts";
import { encodeDirectoryBlock } from "./erofs-directory.ts";
import { bodySize, EROFS_BLOCK, nidOf, writeInode } from "./erofs-inode.ts";
import type { ErofsLayout, ErofsPiece } from "./erofs-layout.ts";
import type { ErofsNode, ErofsPlan } from "./erofs-plan.ts";
import { exactContent } from "./exact-content.ts";
import type { FileContent, ReadContent } from "./filetree.ts";
import { SparseBatcher } from "./sparse-batcher.ts";
import type { ImagePiece, SparseWrite } from "./sparse-write.ts";

export interface ErofsVolume {
  readonly plan: ErofsPlan;
  readonly layout: ErofsLayout;
  readonly uuid: Uint8Array;
  /** At most 16 bytes. */
  readonly label: Uint8Array;
  /** Seconds since the epoch. */
  readonly epoch: number;
}

export const EROFS_MAGIC = 0xe0f5_e1e2;
export const SUPERBLOCK_AT = 1024;
const SUPERBLOCK_CHECKSUM = 0x1;
const KEEPS_MTIME = 0x2;

/** Contents of `refer` bytes and more are referred to, but for their ends. */
export function* writeVolume(
  volume: ErofsVolume,
  { read, refer }: { read: ReadContent; refer: number },
): Generator<ImagePiece> {
  const out = new SparseBatcher();
  /** Ends of contents whose inodes come later. */
  const tails = new Map<ErofsNode, Buffer>();
  yield* out.write(encodeSuperblock(volume));
  for (const piece of volume.layout.pieces) {
    out.seek(piece.block * EROFS_BLOCK);
    switch (piece.kind) {
      case "inodes":
        yield* out.write(encodeInodes(piece, { tails, read }));
        break;
      case "xattrs":
        yield* out.write(volume.plan.sharedXattrs);
        break;
      default:
        if (piece.node.content.kind === "file" && piece.node.content.content.size >= refer)
          yield* referredBlocks(piece, piece.node.content.content, { out, tails, read });
        else yield* contentBlocks(piece.node, { out, tails, read });
    }
  }
  yield* out.flush();
}

/** The first block. Its checksum covers all behind the boot sector's room. */
function encodeSuperblock({ plan, layout, uuid, label, epoch }: ErofsVolume): Buffer {
  const block = Buffer.alloc(EROFS_BLOCK);
  const out = block.subarray(SUPERBLOCK_AT);
  out.writeUInt32LE(EROFS_MAGIC, 0);
  out.writeUInt32LE(SUPERBLOCK_CHECKSUM | KEEPS_MTIME, 8);
  out[12] = Math.log2(EROFS_BLOCK);
  out.writeUInt16LE(nidOf(plan.root.inode), 14);
  out.writeBigUInt64LE(BigInt(plan.structure.length + plan.files.length), 16);
  out.writeBigUInt64LE(BigInt(epoch), 24);
  out.writeUInt32LE(layout.blocks, 36);
  out.writeUInt32LE(layout.xattrBlock, 44);
  out.set(uuid, 48);
  out.set(label, 64);
  out.writeUInt32LE(crc32c(CRC_START, out), 4);
  return block;
}

interface Reading {
  readonly tails: Map<ErofsNode, Buffer>;
  readonly read: ReadContent;
}

function encodeInodes(piece: ErofsPiece & { kind: "inodes" }, { tails, read }: Reading): Buffer {
  const block = Buffer.alloc(piece.blocks * EROFS_BLOCK);
  for (const node of piece.nodes) {
    const { inode } = node;
    const at = inode.at - piece.block * EROFS_BLOCK;
    writeInode(block.subarray(at), inode);
    if (inode.tail === 0) continue;
    const tail = tails.get(node) ?? wholeTail(node, read);
    tails.delete(node);
    tail.copy(block, at + bodySize(inode));
  }
  return block;
}

/** Of a content that is inline in whole, or that is in memory anyway. */
function wholeTail({ inode, content }: ErofsNode, read: ReadContent): Buffer {
  switch (content.kind) {
    case "directory":
      return encodeDirectoryBlock(content.directory, content.directory.starts.length - 1);
    case "symlink":
      return content.target;
    case "file":
      return Buffer.concat([...exactContent(content.content, { read, what: `EROFS: ${inode.path}` })].map(copyOf));
    default:
      throw new Error(`EROFS: ${inode.path} has no content`);
  }
}

/** A reader may hand out one buffer again and again. */
const copyOf = (chunk: Uint8Array): Buffer => Buffer.from(chunk);

/** The end of the content is read: it goes beside the inode. */
function* referredBlocks(
  { block, node }: { block: number; node: ErofsNode },
  content: FileContent,
  { out, tails, read }: Reading & { out: SparseBatcher },
): Generator<ImagePiece> {
  const { inode } = node;
  const length = inode.size - inode.tail;
  yield* out.flush();
  yield { offset: block * EROFS_BLOCK, content, from: 0, length };
  out.seek(block * EROFS_BLOCK + length);
  if (inode.tail === 0) return;
  const pack = { hash: content.hash, size: content.size, ...content.pack };
  const end: FileContent = {
    hash: content.hash,
    size: inode.tail,
    pack: { ...pack, offset: (content.pack?.offset ?? 0) + length },
  };
  tails.set(node, Buffer.concat([...exactContent(end, { read, what: `EROFS: ${inode.path}` })].map(copyOf)));
}

function* contentBlocks(
  node: ErofsNode,
  { out, tails, read }: Reading & { out: SparseBatcher },
): Generator<SparseWrite> {
  const { inode, content } = node;
  if (content.kind === "directory") {
    const blocks = content.directory.starts.length - (inode.tail > 0 ? 1 : 0);
    for (let i = 0; i < blocks; i++) yield* out.write(encodeDirectoryBlock(content.directory, i));
  } else if (content.kind === "symlink") yield* out.write(content.target);
  else if (content.kind === "file") {
    let left = inode.size - inode.tail;
    const tail: Buffer[] = [];
    for (const chunk of exactContent(content.content, { read, what: `EROFS: ${inode.path}` })) {
      const part = Math.min(left, chunk.length);
      if (part > 0) yield* out.write(part === chunk.length ? chunk : chunk.subarray(0, part));
      if (part < chunk.length) tail.push(copyOf(chunk.subarray(part)));
      left -= part;
    }
    if (inode.tail > 0) tails.set(node, Buffer.concat(tail));
  }
}
