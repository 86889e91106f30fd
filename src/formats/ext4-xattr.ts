/**
 * Extended attributes (Documentation/filesystems/ext4/attributes.rst): what fits stands behind the inode's fields, the
 * rest in one block. Attributes over both are refused, never cut. Not written: values in inodes of their own (ea_inode),
 * which older kernels cannot read.
 */
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { crc32c, crc32cNumber } from "./crc32c.ts";
import { EXT4_BLOCK } from "./ext4-layout.ts";
import type { Xattr } from "./filetree.ts";
import { splitXattrName } from "./xattr-name.ts";

const MAGIC = 0xea02_0000;
const ENTRY = 16;
const BLOCK_HEADER = 32;
const CHECKSUM_AT = 16;
/** The list ends with four zero bytes. */
const LIST_END = 4;

export interface Ext4Xattrs {
  /** From the magic number on, `room` bytes; absent: nothing in the inode. */
  readonly inline: Buffer | undefined;
  /** Without its checksum, which holds the block's number. */
  readonly block: Buffer | undefined;
}

/** `room`: bytes behind the inode's fields. `path` is named in errors. */
export function encodeXattrs(xattrs: readonly Xattr[], { room, path }: { room: number; path: string }): Ext4Xattrs {
  const inside: Attribute[] = [];
  const outside: Attribute[] = [];
  let insideLeft = room - 4 - LIST_END;
  let outsideLeft = EXT4_BLOCK - BLOCK_HEADER - LIST_END;
  for (const one of xattrs.map((xattr) => attribute(xattr, path)).sort(compare)) {
    const size = entrySize(one) + alignUp(one.value.length, 4);
    if (size <= insideLeft) {
      insideLeft -= size;
      inside.push(one);
    } else {
      outsideLeft -= size;
      outside.push(one);
    }
  }
  if (outsideLeft < 0)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `ext4: ${path}: its extended attributes take ${-outsideLeft} bytes more than one inode and one block hold`,
    );
  return {
    inline: inside.length === 0 ? undefined : encodeInline(inside, room),
    block: outside.length === 0 ? undefined : encodeBlock(outside),
  };
}

/** The block as it stands at `number`. `seed`: the volume's checksum seed. */
export function sealXattrBlock(block: Buffer, number: number, seed: number): Buffer {
  const out = Buffer.from(block);
  const crc = crc32c(crc32cNumber(crc32cNumber(seed, number), 0), out);
  out.writeUInt32LE(crc, CHECKSUM_AT);
  return out;
}

interface Attribute {
  /** Stands for the name's prefix. */
  readonly index: number;
  readonly name: Buffer;
  readonly value: Uint8Array;
}

function attribute({ name, value }: Xattr, path: string): Attribute {
  const { index, rest } = splitXattrName(name, "ext4", path);
  return { index, name: rest, value: rest.length === 0 ? packedAcl(value, `${path}: ${name}`) : value };
}

/** The kernel looks entries of a block up by this order. */
const compare = (a: Attribute, b: Attribute): number =>
  a.index - b.index || a.name.length - b.name.length || Buffer.compare(a.name, b.name);

const entrySize = ({ name }: Attribute): number => alignUp(ENTRY + name.length, 4);

function encodeInline(attributes: readonly Attribute[], room: number): Buffer {
  const out = Buffer.alloc(room);
  out.writeUInt32LE(MAGIC, 0);
  // Offsets of values count from the first entry. The kernel leaves the hashes here 0.
  writeEntries(out.subarray(4), attributes, { at: 0, hashes: false });
  return out;
}

function encodeBlock(attributes: readonly Attribute[]): Buffer {
  const out = Buffer.alloc(EXT4_BLOCK);
  out.writeUInt32LE(MAGIC, 0);
  out.writeUInt32LE(1, 4); // Inodes that share it.
  out.writeUInt32LE(1, 8); // Blocks.
  const hashes = writeEntries(out, attributes, { at: BLOCK_HEADER, hashes: true });
  // An entry whose hash is 0 cannot be shared; the whole then has none.
  const all = hashes.includes(0) ? 0 : hashes.reduce((sum, hash) => (sum << 16) ^ (sum >>> 16) ^ hash, 0);
  out.writeUInt32LE(all >>> 0, 12);
  return out;
}

/** Entries from `at` up, values from the end down. */
function writeEntries(out: Buffer, attributes: readonly Attribute[], from: { at: number; hashes: boolean }): number[] {
  let { at } = from;
  let end = out.length;
  const hashes: number[] = [];
  for (const one of attributes) {
    end -= alignUp(one.value.length, 4);
    out[at] = one.name.length;
    out[at + 1] = one.index;
    out.writeUInt16LE(one.value.length === 0 ? 0 : end, at + 2);
    out.writeUInt32LE(one.value.length, at + 8);
    out.set(one.name, at + ENTRY);
    out.set(one.value, end);
    if (from.hashes) {
      const hash = entryHash(one.name, out.subarray(end, end + alignUp(one.value.length, 4)));
      out.writeUInt32LE(hash, at + 12);
      hashes.push(hash);
    }
    at += entrySize(one);
  }
  return hashes;
}

function entryHash(name: Buffer, padded: Buffer): number {
  let hash = 0;
  for (const byte of name) hash = (hash << 5) ^ (hash >>> 27) ^ byte;
  for (let at = 0; at < padded.length; at += 4) hash = (hash << 16) ^ (hash >>> 16) ^ padded.readInt32LE(at);
  return hash >>> 0;
}

const ACL_USER = 2;
const ACL_GROUP = 8;

/** Access lists have a shorter form on disk than in xattr(7): the four entries without a name have no id. */
function packedAcl(value: Uint8Array, what: string): Uint8Array {
  const source = Buffer.from(value.buffer, value.byteOffset, value.length);
  if (source.length < 4 || source.length % 8 !== 4 || source.readUInt32LE(0) !== 2)
    throw new BootwrightError("FORMAT_INVALID", `ext4: ${what}: not a POSIX access list of version 2`);
  const out: Buffer[] = [Buffer.of(1, 0, 0, 0)];
  for (let at = 4; at < source.length; at += 8) {
    const tag = source.readUInt16LE(at);
    out.push(source.subarray(at, at + (tag === ACL_USER || tag === ACL_GROUP ? 8 : 4)));
  }
  return Buffer.concat(out);
}
