/**
 * Reads tar in one pass with bounded memory: ustar, pax, GNU long names, base-256 numbers and sparse files. Each member
 * says where its content lies in the archive, so that the archive can be kept whole and entries can point into it.
 */
import { pathFromBytes } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatError } from "./byte-reader.ts";
import { type ByteChunks, ByteStream } from "./byte-stream.ts";
import { safePath, type Xattr } from "./filetree.ts";
import { type PaxRecord, parsePax } from "./pax.ts";
import { isZeroBlock, parseTarHeader, TAR_BLOCK, type TarHeader } from "./tar-header.ts";
import { checkSparse, expandSparse, paxSparseMap, readOldSparse, readSparse10, type SparseMap } from "./tar-sparse.ts";
import { paxXattrs } from "./tar-xattrs.ts";

export interface TarMember {
  /** As in filetree.ts; "" is the root. */
  readonly path: string;
  readonly type: "file" | "hardlink" | "directory" | "symlink" | "char" | "block" | "fifo";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly uname: string;
  readonly gname: string;
  /** Whole seconds since the epoch; may be negative. */
  readonly mtime: number;
  readonly xattrs: readonly Xattr[];
  /** Symlinks: the text as it is. Hard links: the path of the file, normalized. Else "". */
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  /** Bytes of content; 0 unless a file. */
  readonly size: number;
  /** Of the content's first byte in the uncompressed archive; absent for sparse files, whose content lies in pieces. */
  readonly offset?: number;
  /** The content, once, before the next member is asked for; what is not read is skipped. */
  readonly content: () => AsyncGenerator<Uint8Array>;
}

export interface TarReadOptions {
  /** Named in messages. */
  readonly origin?: string;
  /** Accept a leading slash, and drop it. Default: PATH_UNSAFE. */
  readonly absolute?: boolean;
  /** A later member of the same path replaces the earlier one, as tar itself has it. Default: PATH_UNSAFE, directories excepted. */
  readonly duplicates?: boolean;
  /** Bytes up to which a sparse file is expanded; default 8 GiB. */
  readonly maxSparseSize?: number;
}

const MAX_PAX = 1024 * 1024;
const MAX_LONG_NAME = 64 * 1024;

/**
 * Yields the members in order. Reads the stream to its end, so that a digest of the whole can be taken on the way. Throws
 * FORMAT_INVALID (an archive that stops without its end mark is cut off), PATH_UNSAFE, LIMIT_EXCEEDED, UNSUPPORTED.
 */
export async function* readTar(source: ByteChunks, options: TarReadOptions = {}): AsyncGenerator<TarMember> {
  const stream = new ByteStream(source, options.origin ?? "tar");
  const seen = new Set<string>();
  let globals: readonly PaxRecord[] = [];
  let next = NOTHING;
  for (;;) {
    const at = stream.position;
    const block = stream.takeBuffered(TAR_BLOCK) ?? (await stream.read(TAR_BLOCK));
    if (block === undefined) throw formatError("tar", at, "the end mark; the archive is cut off");
    if (isZeroBlock(block)) break;
    const header = parseTarHeader(block, at);
    if (header.size < 0) throw formatError("tar", at + 124, "a size");
    if (EXTENSIONS.has(header.typeflag)) {
      const body = await readExtension(stream, header);
      if (header.typeflag === "g") globals = mergeGlobals(globals, parsePax(body, at + TAR_BLOCK));
      else if (header.typeflag === "L") next = { ...next, path: upToNul(body) };
      else if (header.typeflag === "K") next = { ...next, target: upToNul(body) };
      else if (header.typeflag !== "V") next = { ...next, records: parsePax(body, at + TAR_BLOCK) };
      continue;
    }
    const records = globals.length === 0 ? next.records : [...globals, ...next.records];
    const sparse = header.typeflag === "S" ? await readOldSparse(block, stream) : undefined;
    const { member, end } = await toMember(stream, { header, at, next, records, sparse, options });
    if (member.type !== "directory" && seen.has(member.path) && options.duplicates !== true)
      throw new BootwrightError("PATH_UNSAFE", `tar: offset ${at}: ${member.path} is there twice`);
    seen.add(member.path);
    yield member;
    await stream.skip(end - stream.position);
    next = NOTHING;
  }
  await stream.drain();
}

/** What extension headers said about the member that follows. */
interface Pending {
  readonly path?: string;
  readonly target?: string;
  readonly records: readonly PaxRecord[];
}

const NOTHING: Pending = { records: [] };
const EXTENSIONS = new Set(["x", "X", "g", "L", "K", "V"]);
const TYPES: Readonly<Record<string, TarMember["type"]>> = {
  "0": "file",
  "\0": "file",
  "7": "file",
  S: "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "char",
  "4": "block",
  "5": "directory",
  "6": "fifo",
};

interface MemberContext {
  readonly header: TarHeader;
  readonly at: number;
  readonly next: Pending;
  readonly records: readonly PaxRecord[];
  readonly sparse: SparseMap | undefined;
  readonly options: TarReadOptions;
}

async function toMember(stream: ByteStream, context: MemberContext): Promise<{ member: TarMember; end: number }> {
  const { header, at, next, options } = context;
  const pax = new PaxValues(context.records, at);
  const name = pax.path("GNU.sparse.name") ?? pax.path("path") ?? next.path ?? header.name;
  const typed = TYPES[header.typeflag];
  if (typed === undefined)
    throw new BootwrightError(
      "UNSUPPORTED",
      `tar: offset ${at}: ${name}: members of type "${header.typeflag}" are not supported`,
    );
  const type = typed === "file" && header.dialect === "old" && name.endsWith("/") ? "directory" : typed;
  const path = safePath(name, `tar: offset ${at}`, { absolute: options.absolute ?? false });
  if (path === "" && type !== "directory") throw formatError("tar", at, "a name");
  const stored = type === "file" ? (pax.number("size") ?? header.size) : 0;
  if (type === "hardlink" && (pax.number("size") ?? header.size) > 0)
    throw new BootwrightError("UNSUPPORTED", `tar: offset ${at}: the hard link ${path} carries content`);
  let offset = stream.position;
  const end = offset + Math.ceil(stored / TAR_BLOCK) * TAR_BLOCK;
  let sparse = context.sparse ?? paxSparseMap(context.records, at);
  if (type === "file" && pax.text("GNU.sparse.major") === "1") {
    const { map, taken } = await readSparse10(stream, {
      realSize: pax.number("GNU.sparse.realsize") ?? stored,
      stored,
    });
    sparse = map;
    offset += taken;
  }
  if (sparse !== undefined) {
    const inArchive = stored - (offset - (end - Math.ceil(stored / TAR_BLOCK) * TAR_BLOCK));
    checkSparse(sparse, { stored: inArchive, at, path, limit: options.maxSparseSize ?? 8 * 1024 ** 3 });
  }
  const linkname = pax.path("linkpath") ?? next.target ?? header.linkname;
  if (type === "symlink" && (linkname === "" || linkname.includes("\0")))
    throw formatError("tar", at, `a target of ${path}`);
  const member: TarMember = {
    path,
    type,
    mode: header.mode,
    uid: pax.number("uid") ?? header.uid,
    gid: pax.number("gid") ?? header.gid,
    uname: pax.text("uname") ?? header.uname,
    gname: pax.text("gname") ?? header.gname,
    mtime: pax.seconds("mtime") ?? header.mtime,
    xattrs: paxXattrs(context.records, at),
    target:
      type === "symlink"
        ? linkname
        : type === "hardlink"
          ? safePath(linkname, `tar: offset ${at}: link ${path}`, { absolute: options.absolute ?? false })
          : "",
    major: header.major,
    minor: header.minor,
    size: sparse?.size ?? stored,
    ...(sparse === undefined ? { offset } : {}),
    content: () => {
      if (stream.position !== offset) throw new Error(`the content of ${path} was already read or passed`);
      return sparse === undefined ? stream.chunks(stored) : expandSparse(stream, sparse);
    },
  };
  return { member, end };
}

/** The last record of a key wins; an empty value takes the key back. */
class PaxValues {
  readonly #values = new Map<string, Uint8Array>();
  readonly #at: number;

  constructor(records: readonly PaxRecord[], at: number) {
    this.#at = at;
    for (const { key, value } of records) {
      if (value.length === 0) this.#values.delete(key);
      else this.#values.set(key, value);
    }
  }

  text(key: string): string | undefined {
    const value = this.#values.get(key);
    return value === undefined ? undefined : Buffer.from(value).toString("utf8");
  }

  path(key: string): string | undefined {
    const value = this.#values.get(key);
    return value === undefined ? undefined : pathFromBytes(value);
  }

  number(key: string): number | undefined {
    const value = this.text(key);
    if (value !== undefined && !/^\d{1,15}$/.test(value)) throw formatError("tar", this.#at, `a number as pax ${key}`);
    return value === undefined ? undefined : Number(value);
  }

  seconds(key: string): number | undefined {
    const value = this.text(key);
    if (value !== undefined && !/^-?\d{1,15}(\.\d*)?$/.test(value))
      throw formatError("tar", this.#at, `a time as pax ${key}`);
    return value === undefined ? undefined : Math.floor(Number(value));
  }
}

async function readExtension(stream: ByteStream, header: TarHeader): Promise<Uint8Array> {
  const most = header.typeflag === "L" || header.typeflag === "K" ? MAX_LONG_NAME : MAX_PAX;
  if (header.size > most)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `tar: offset ${stream.position}: an extended header of ${header.size} bytes; at most ${most} are read`,
    );
  const body = header.size === 0 ? new Uint8Array(0) : await stream.read(header.size);
  if (body === undefined) throw formatError("tar", stream.position, "an extended header");
  await stream.skip(Math.ceil(header.size / TAR_BLOCK) * TAR_BLOCK - header.size);
  return body;
}

function mergeGlobals(old: readonly PaxRecord[], added: readonly PaxRecord[]): PaxRecord[] {
  const merged = new Map(old.map((record) => [record.key, record]));
  for (const record of added) merged.set(record.key, record);
  return [...merged.values()];
}

function upToNul(body: Uint8Array): string {
  const end = body.indexOf(0);
  return pathFromBytes(end < 0 ? body : body.subarray(0, end));
}
