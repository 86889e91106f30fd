/**
 * Writes tar: plain ustar where it fits, pax records where it does not, nothing that differs between builds. The first
 * of a hard-link group carries the content, the others point to it.
 */
import { bytesFromPath } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { ChunkBatcher } from "./chunk-batcher.ts";
import { baseName, type FileEntry, type FileTree, type ReadContent, type TreeEntry } from "./filetree.ts";
import { encodePax, type PaxRecord } from "./pax.ts";
import { checksums, TAR_BLOCK } from "./tar-header.ts";
import { SCHILY_XATTR } from "./tar-xattrs.ts";

export interface TarOptions {
  readonly read: ReadContent;
  /** Seconds since the epoch, for entries without their own time. */
  readonly mtime: number;
}

/**
 * Yields the archive in chunks of about 1 MiB, end mark included. Throws UNSUPPORTED for sockets, LIMIT_EXCEEDED for
 * device numbers over 2,097,151, and a plain Error when `read` does not deliver exactly the content's size.
 */
export function* encodeTar(tree: FileTree, options: TarOptions): Generator<Uint8Array> {
  const out = new ChunkBatcher();
  const firsts = new Map<number, string>();
  for (const entry of tree) {
    const first = entry.type === "file" && entry.link !== undefined ? firsts.get(entry.link) : undefined;
    if (entry.type === "file" && entry.link !== undefined && first === undefined) firsts.set(entry.link, entry.path);
    yield* writeHeader(out, describe(entry, { first, mtime: entry.mtime ?? options.mtime }));
    if (entry.type === "file" && first === undefined) yield* writeBody(out, entry, options.read);
  }
  (yield* out.reserve(2 * TAR_BLOCK)).fill(0);
  yield* out.flush();
}

/** The header of one entry, for whoever writes contents as they come; after these come zeros up to the next 512 bytes. */
export function encodeTarHeader(entry: TreeEntry, mtime = 0): Buffer {
  const out = new ChunkBatcher();
  return Buffer.concat([...writeHeader(out, describe(entry, { first: undefined, mtime })), ...out.flush()]);
}

export const encodeTarEnd = (): Buffer => Buffer.alloc(2 * TAR_BLOCK);

interface Fields {
  readonly name: Buffer;
  readonly typeflag: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly linkname: Buffer;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: readonly PaxRecord[];
}

const TYPEFLAGS = { file: "0", symlink: "2", char: "3", block: "4", directory: "5", fifo: "6" } as const;
const OCTAL_7 = 0o7777777;
const OCTAL_11 = 0o77777777777;
const EMPTY = Buffer.alloc(0);

function describe(entry: TreeEntry, extra: { first: string | undefined; mtime: number }): Fields {
  if (entry.type === "socket") throw new BootwrightError("UNSUPPORTED", `tar cannot hold the socket ${entry.path}`);
  const device = entry.type === "char" || entry.type === "block";
  if (device && Math.max(entry.major, entry.minor) > OCTAL_7)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `tar: ${entry.path}: device ${entry.major}:${entry.minor}; the format holds numbers up to ${OCTAL_7}`,
    );
  const path = entry.path === "" ? "." : entry.path;
  const linkname = extra.first ?? (entry.type === "symlink" ? entry.target : undefined);
  return {
    name: bytesFromPath(entry.type === "directory" ? `${path}/` : path),
    typeflag: extra.first === undefined ? TYPEFLAGS[entry.type] : "1",
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.type === "file" && extra.first === undefined ? entry.content.size : 0,
    mtime: extra.mtime,
    linkname: linkname === undefined ? EMPTY : bytesFromPath(linkname),
    major: device ? entry.major : 0,
    minor: device ? entry.minor : 0,
    xattrs: (entry.xattrs ?? []).map(({ name, value }) => ({ key: SCHILY_XATTR + name, value })),
  };
}

function* writeHeader(out: ChunkBatcher, fields: Fields): Generator<Uint8Array> {
  const split = splitName(fields.name);
  const records: PaxRecord[] = [];
  const add = (key: string, value: Buffer | number) =>
    records.push({ key, value: typeof value === "number" ? Buffer.from(String(value)) : value });
  if (split === undefined) add("path", fields.name);
  if (fields.linkname.length > 100) add("linkpath", fields.linkname);
  if (fields.size > OCTAL_11) add("size", fields.size);
  if (fields.uid > OCTAL_7) add("uid", fields.uid);
  if (fields.gid > OCTAL_7) add("gid", fields.gid);
  if (fields.mtime < 0 || fields.mtime > OCTAL_11) add("mtime", fields.mtime);
  records.push(...fields.xattrs);
  if (records.length > 0) {
    const body = encodePax(records);
    const name = Buffer.from(
      `PaxHeaders/${baseName(fields.name.toString("latin1").replace(/\/$/, ""))}`,
      "latin1",
    ).subarray(0, 100);
    const plain = { typeflag: "x", mode: 0o644, uid: 0, gid: 0, linkname: EMPTY, major: 0, minor: 0 };
    encodeHeader(yield* out.reserve(TAR_BLOCK), {
      ...plain,
      name,
      prefix: EMPTY,
      size: body.length,
      mtime: clamp(fields.mtime),
    });
    yield* out.write(body);
    yield* out.pad(TAR_BLOCK);
  }
  encodeHeader(yield* out.reserve(TAR_BLOCK), {
    ...fields,
    name: split?.name ?? fields.name.subarray(0, 100),
    prefix: split?.prefix ?? EMPTY,
    linkname: fields.linkname.subarray(0, 100),
    size: fields.size > OCTAL_11 ? 0 : fields.size,
    uid: Math.min(fields.uid, OCTAL_7),
    gid: Math.min(fields.gid, OCTAL_7),
    mtime: clamp(fields.mtime),
  });
}

/** ustar's name of 100 bytes behind a prefix of 155, cut at a slash; undefined when it does not fit. */
function splitName(name: Buffer): { name: Buffer; prefix: Buffer } | undefined {
  if (name.length <= 100) return { name, prefix: EMPTY };
  if (name.length > 256) return undefined;
  // The last slash at or before 155 that is not the name's own trailing one.
  const slash = name.lastIndexOf(0x2f, Math.min(155, name.length - 2));
  if (slash <= 0 || name.length - slash - 1 > 100) return undefined;
  return { name: name.subarray(slash + 1), prefix: name.subarray(0, slash) };
}

function encodeHeader(room: Buffer, fields: Omit<Fields, "xattrs"> & { readonly prefix: Buffer }): void {
  room.fill(0);
  room.set(fields.name, 0);
  octal(room, { at: 100, digits: 7, value: fields.mode });
  octal(room, { at: 108, digits: 7, value: fields.uid });
  octal(room, { at: 116, digits: 7, value: fields.gid });
  octal(room, { at: 124, digits: 11, value: fields.size });
  octal(room, { at: 136, digits: 11, value: fields.mtime });
  room.write(fields.typeflag, 156, "latin1");
  room.set(fields.linkname, 157);
  room.write("ustar\x0000", 257, "latin1");
  octal(room, { at: 329, digits: 7, value: fields.major });
  octal(room, { at: 337, digits: 7, value: fields.minor });
  room.set(fields.prefix, 345);
  octal(room, { at: 148, digits: 6, value: checksums(room)[0] });
  room[155] = 0x20;
}

const octal = (room: Buffer, field: { at: number; digits: number; value: number }): number =>
  room.write(field.value.toString(8).padStart(field.digits, "0"), field.at, "latin1");

const clamp = (mtime: number): number => Math.min(Math.max(Math.floor(mtime), 0), OCTAL_11);

function* writeBody(out: ChunkBatcher, entry: FileEntry, read: ReadContent): Generator<Uint8Array> {
  const { size } = entry.content;
  let written = 0;
  for (const chunk of size === 0 ? [] : read(entry.content)) {
    written += chunk.length;
    if (written > size) break;
    yield* out.write(chunk);
  }
  if (written !== size)
    throw new Error(`tar: ${entry.path}: wrote ${written} of ${size} bytes; the archive is damaged`);
  yield* out.pad(TAR_BLOCK);
}
