/**
 * A file as a list of extents: which range of which blob lies where; all between is zero. The canonical encoding makes one
 * byte string, and so one digest, of one list; docs/internals/extents-format.md describes it for other programs. The
 * decoder refuses whatever the encoder would not have written.
 */
import type { Digest } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { VarintReader } from "./varint-reader.ts";
import { VarintWriter } from "./varint-writer.ts";

export interface Extent {
  /** Bytes from the start of the file. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
  readonly blob: Digest;
  /** Where in the blob its bytes begin. */
  readonly from: number;
}

export interface ExtentList {
  /** Bytes of the file. */
  readonly size: number;
  /** In rising order. */
  readonly extents: readonly Extent[];
}

const MAGIC = Buffer.from("bwexts\0\x01", "latin1");

/** An extent that goes on where the one before it ends, in both, becomes part of it. Throws a plain Error for what is no list. */
export function encodeExtents({ size, extents }: ExtentList): Buffer {
  const whole = joined(extents);
  const blobs = new Map<string, { readonly blob: Digest; readonly index: number }>();
  for (const { blob } of whole) if (!blobs.has(blob.hash)) blobs.set(blob.hash, { blob, index: blobs.size });
  const out = new VarintWriter(64 + blobs.size * 40 + whole.length * 12);
  out.bytes(MAGIC);
  out.varint(size);
  out.varint(blobs.size);
  for (const { blob } of blobs.values()) {
    out.hex(blob.hash);
    out.varint(blob.size);
  }
  out.varint(whole.length);
  let end = 0;
  for (const { offset, length, blob, from } of whole) {
    if (offset < end || length < 1 || offset + length > size || from + length > blob.size)
      throw new Error(`extent of ${length} bytes at ${offset}, from ${from} of a blob of ${blob.size}: out of place`);
    out.varint(offset - end);
    out.varint(length);
    out.varint(blobs.get(blob.hash)!.index);
    out.varint(from);
    end = offset + length;
  }
  return out.done();
}

/** Throws FORMAT_INVALID for anything that is not canonical: what is given back encodes to the same bytes. */
export function decodeExtents(bytes: Uint8Array): ExtentList {
  const input = new VarintReader(bytes, "extents");
  if (Buffer.compare(input.take(MAGIC.length), MAGIC) !== 0)
    throw new BootwrightError("FORMAT_INVALID", "extents: wrong magic at offset 0");
  const size = input.varint();
  const blobs: Digest[] = [];
  for (let n = input.count(33); n > 0; n--) blobs.push({ hash: input.hex(32), size: input.varint() });
  if (new Set(blobs.map(({ hash }) => hash)).size < blobs.length) throw input.invalid("a blob is listed twice");
  const extents: Extent[] = [];
  let used = 0;
  let end = 0;
  for (let n = input.count(4); n > 0; n--) {
    const offset = end + input.varint();
    const length = input.varint();
    const index = input.varint();
    const from = input.varint();
    const blob = blobs[index];
    if (blob === undefined) throw input.invalid("unknown blob");
    if (index > used) throw input.invalid("blobs are not in the order of their use");
    if (index === used) used++;
    if (length < 1) throw input.invalid("an extent is empty");
    if (offset + length > size) throw input.invalid("an extent ends outside the file");
    if (from + length > blob.size) throw input.invalid("an extent ends outside its blob");
    const extent = { offset, length, blob, from };
    const before = extents.at(-1);
    if (before !== undefined && continues(before, extent)) throw input.invalid("two extents are one");
    extents.push(extent);
    end = offset + length;
  }
  if (!input.atEnd) throw input.invalid("bytes after the last extent");
  if (used < blobs.length) throw input.invalid("a blob is listed that no extent points into");
  return { size, extents };
}

/** By the magic, which no file system and no archive begins with. */
export const isExtents = (bytes: Uint8Array): boolean => Buffer.compare(bytes.subarray(0, MAGIC.length), MAGIC) === 0;

function joined(extents: readonly Extent[]): readonly Extent[] {
  const whole: Extent[] = [];
  for (const extent of extents) {
    const before = whole.at(-1);
    if (before !== undefined && continues(before, extent))
      whole[whole.length - 1] = { ...before, length: before.length + extent.length };
    else whole.push(extent);
  }
  return whole;
}

const continues = (before: Extent, next: Extent): boolean =>
  before.offset + before.length === next.offset &&
  before.blob.hash === next.blob.hash &&
  before.from + before.length === next.from;
