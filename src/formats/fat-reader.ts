/**
 * Reads FAT12, FAT16 and FAT32 volumes, as far as listing and reading files goes. Hostile input is bounded: a chain that
 * loops or leaves the volume, and directories that contain each other, are FORMAT_INVALID.
 */
import { BootwrightError } from "../base/errors.ts";
import { ByteReader, formatError } from "./byte-reader.ts";
import { type ByteSource, readExactly } from "./byte-source.ts";
import { FAT_DIRECTORY, FAT_LABEL, FAT_LONG_NAME, FAT_LONG_UNITS, FAT_SLOT } from "./fat-directory.ts";
import { shortNameChecksum } from "./fat-names.ts";
import { safePath } from "./filetree.ts";

export interface FatEntry {
  /** Relative, `/`-separated. */
  readonly path: string;
  readonly type: "file" | "directory";
  /** Bytes; 0 for directories. */
  readonly size: number;
  readonly cluster: number;
}

export interface FatVolume {
  readonly type: 12 | 16 | 32;
  readonly sectorSize: number;
  readonly clusterSize: number;
  readonly volumeId: number;
  readonly label: string | undefined;
  readonly entries: readonly FatEntry[];
  /** A file's content in chunks. */
  readonly read: (entry: FatEntry) => Generator<Uint8Array>;
  /** A file's content by ranges: EFI programs are read so, whatever their size. */
  readonly open: (entry: FatEntry) => ByteSource;
}

interface Geometry {
  readonly type: 12 | 16 | 32;
  readonly sectorSize: number;
  readonly clusterSize: number;
  readonly fatOffset: number;
  readonly fatBytes: number;
  readonly rootOffset: number;
  readonly rootBytes: number;
  readonly rootCluster: number;
  readonly dataOffset: number;
  readonly clusters: number;
  readonly volumeId: number;
}

const MAX_ENTRIES = 1_000_000;
const MAX_DEPTH = 64;
const MAX_DIRECTORY = 65536 * FAT_SLOT;

/** Reads the whole directory tree. Throws FORMAT_INVALID, PATH_UNSAFE, or LIMIT_EXCEEDED (over a million entries). */
export function readFat(source: ByteSource): FatVolume {
  const geometry = readGeometry(source);
  const next = tableReader(source, geometry);
  const entries: FatEntry[] = [];
  const visited = new Set<number>();
  let label: string | undefined;
  const walk = (bytes: Uint8Array, prefix: string, depth: number) => {
    if (depth > MAX_DEPTH) throw formatError("FAT", 0, `directories at most ${MAX_DEPTH} deep`);
    const parsed = parseDirectory(bytes, prefix);
    if (depth === 0) label = parsed.label;
    for (const entry of parsed.entries) {
      entries.push(entry);
      if (entries.length > MAX_ENTRIES)
        throw new BootwrightError("LIMIT_EXCEEDED", `FAT: more than ${MAX_ENTRIES} entries`);
      if (entry.type !== "directory") continue;
      walk(readDirectory(entry.cluster), entry.path, depth + 1);
    }
  };
  const readDirectory = (cluster: number): Uint8Array => {
    const parts: Uint8Array[] = [];
    let length = 0;
    for (const bytes of readChain(source, { geometry, next, cluster, visited })) {
      parts.push(bytes);
      length += bytes.length;
      if (length > MAX_DIRECTORY) throw formatError("FAT", 0, "a directory of at most 65536 slots");
    }
    return Buffer.concat(parts);
  };
  if (geometry.type === 32) walk(readDirectory(geometry.rootCluster), "", 0);
  else walk(readExactly(source, { offset: geometry.rootOffset, length: geometry.rootBytes, format: "FAT" }), "", 0);
  return {
    type: geometry.type,
    sectorSize: geometry.sectorSize,
    clusterSize: geometry.clusterSize,
    volumeId: geometry.volumeId,
    label,
    entries,
    *read(entry) {
      let left = entry.size;
      if (left === 0) return;
      for (const bytes of readChain(source, { geometry, next, cluster: entry.cluster })) {
        yield left < bytes.length ? bytes.subarray(0, left) : bytes;
        left -= Math.min(left, bytes.length);
        if (left === 0) return;
      }
      throw formatError("FAT", 0, `${left} more bytes of ${entry.path}`);
    },
    open(entry) {
      if (entry.size === 0) return { size: 0, read: () => new Uint8Array(0) };
      return sourceOfRuns(source, { size: entry.size, runs: fileRuns(entry, { geometry, next }) });
    },
  };
}

/** Bytes of the volume that lie side by side. */
interface FatRun {
  readonly offset: number;
  length: number;
}

/** Throws FORMAT_INVALID when the chain ends before the file does. */
function fileRuns(
  { cluster: first, size, path }: FatEntry,
  { geometry, next }: { geometry: Geometry; next: (cluster: number) => number | undefined },
): readonly FatRun[] {
  const runs: FatRun[] = [];
  let left = Math.ceil(size / geometry.clusterSize);
  let cluster: number | undefined = first;
  for (; left > 0 && cluster !== undefined; cluster = next(cluster)) {
    if (cluster < 2 || cluster >= geometry.clusters + 2 || runs.length > geometry.clusters)
      throw formatError("FAT", 0, `a cluster on the volume, found ${cluster}`);
    const offset = geometry.dataOffset + (cluster - 2) * geometry.clusterSize;
    const last = runs.at(-1);
    if (last !== undefined && last.offset + last.length === offset) last.length += geometry.clusterSize;
    else runs.push({ offset, length: geometry.clusterSize });
    left--;
  }
  if (left > 0) throw formatError("FAT", 0, `${left} more clusters of ${path}`);
  return runs;
}

function sourceOfRuns(source: ByteSource, { size, runs }: { size: number; runs: readonly FatRun[] }): ByteSource {
  // Files are read from front to back: the next range starts in the run where the last one ended, or behind it.
  let index = 0;
  let start = 0;
  const read = (offset: number, length: number): Uint8Array => {
    const parts: Uint8Array[] = [];
    let at = offset;
    let left = Math.max(0, Math.min(length, size - offset));
    if (offset < start) [index, start] = [0, 0];
    while (left > 0) {
      const run = runs[index]!;
      if (at < start + run.length) {
        const take = Math.min(left, start + run.length - at);
        parts.push(readExactly(source, { offset: run.offset + at - start, length: take, format: "FAT" }));
        at += take;
        left -= take;
      } else {
        start += run.length;
        index++;
      }
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  };
  return { size, read };
}

function readGeometry(source: ByteSource): Geometry {
  const boot = new ByteReader(source.read(0, Math.min(512, source.size)), { format: "FAT" });
  if (boot.u16(510) !== 0xaa55) throw boot.error(510, "the boot signature 55 AA");
  const sectorSize = boot.u16(11);
  if (![512, 1024, 2048, 4096].includes(sectorSize)) throw boot.error(11, `a sector size, found ${sectorSize}`);
  const perCluster = boot.u8(13);
  if (perCluster === 0 || (perCluster & (perCluster - 1)) !== 0)
    throw boot.error(13, "a power of two of sectors per cluster");
  const reserved = boot.u16(14);
  const copies = boot.u8(16);
  if (reserved === 0 || copies === 0 || copies > 4) throw boot.error(14, "reserved sectors and one to four tables");
  const rootBytes = boot.u16(17) * FAT_SLOT;
  const total = boot.u16(19) || boot.u32(32);
  const fatSectors = boot.u16(22) || boot.u32(36);
  const rootOffset = (reserved + copies * fatSectors) * sectorSize;
  const dataOffset = rootOffset + Math.ceil(rootBytes / sectorSize) * sectorSize;
  const clusters = Math.floor((total - dataOffset / sectorSize) / perCluster);
  if (fatSectors === 0 || clusters < 1) throw boot.error(19, "room for data");
  const type = clusters < 4085 ? 12 : clusters < 65525 ? 16 : 32;
  if ((type === 32) !== (boot.u16(22) === 0)) throw boot.error(22, `the table size of FAT${type}`);
  return {
    type,
    sectorSize,
    clusterSize: perCluster * sectorSize,
    fatOffset: reserved * sectorSize,
    fatBytes: fatSectors * sectorSize,
    rootOffset,
    rootBytes,
    rootCluster: type === 32 ? boot.u32(44) : 0,
    dataOffset,
    clusters,
    volumeId: boot.u32(type === 32 ? 67 : 39),
  };
}

/** Looks up the cluster behind a cluster, a window of the table at a time; undefined at the chain's end. */
function tableReader(source: ByteSource, geometry: Geometry): (cluster: number) => number | undefined {
  const window = 64 * 1024;
  let start = -1;
  let bytes = new ByteReader(new Uint8Array(0), { format: "FAT" });
  const byteAt = (at: number): number => {
    const wanted = Math.floor(at / window) * window;
    if (wanted !== start) {
      const length = Math.min(window, geometry.fatBytes - wanted);
      bytes = new ByteReader(readExactly(source, { offset: geometry.fatOffset + wanted, length, format: "FAT" }), {
        format: "FAT",
      });
      start = wanted;
    }
    return bytes.u8(at - wanted);
  };
  const u16 = (at: number) => byteAt(at) | (byteAt(at + 1) << 8);
  return (cluster) => {
    let value: number;
    if (geometry.type === 32) value = u16(cluster * 4) + (u16(cluster * 4 + 2) & 0x0fff) * 0x10000;
    else if (geometry.type === 16) value = u16(cluster * 2) | 0x0fff_0000;
    else {
      const pair = u16(cluster + (cluster >> 1));
      value = (cluster & 1 ? pair >> 4 : pair & 0xfff) | 0x0fff_f000;
    }
    if (value >= 0x0fff_fff8) return undefined;
    return geometry.type === 32 ? value : geometry.type === 16 ? value & 0xffff : value & 0xfff;
  };
}

function* readChain(
  source: ByteSource,
  at: {
    geometry: Geometry;
    next: (cluster: number) => number | undefined;
    cluster: number;
    /** Clusters that were read before and must not come again: bounds what a hostile directory tree costs. */
    visited?: Set<number>;
  },
): Generator<Uint8Array> {
  const { geometry, next } = at;
  let steps = 0;
  for (let cluster: number | undefined = at.cluster; cluster !== undefined; cluster = next(cluster)) {
    if (cluster < 2 || cluster >= geometry.clusters + 2)
      throw formatError("FAT", 0, `a cluster on the volume, found ${cluster}`);
    if (++steps > geometry.clusters) throw formatError("FAT", 0, "a chain that ends");
    if (at.visited?.has(cluster)) throw formatError("FAT", 0, `cluster ${cluster} in one directory only`);
    at.visited?.add(cluster);
    const offset = geometry.dataOffset + (cluster - 2) * geometry.clusterSize;
    yield readExactly(source, { offset, length: geometry.clusterSize, format: "FAT" });
  }
}

function parseDirectory(bytes: Uint8Array, prefix: string): { entries: FatEntry[]; label: string | undefined } {
  const reader = new ByteReader(bytes, { format: "FAT directory" });
  const entries: FatEntry[] = [];
  let label: string | undefined;
  let long: { text: string; checksum: number } | undefined;
  for (let at = 0; at + FAT_SLOT <= bytes.length && bytes[at] !== 0; at += FAT_SLOT) {
    const attributes = reader.u8(at + 11);
    if (bytes[at] === 0xe5) long = undefined;
    else if (attributes === FAT_LONG_NAME) long = prependLong(reader, at, long);
    else {
      const short = reader.slice(at, 11);
      if ((attributes & FAT_LABEL) !== 0) label = Buffer.from(short).toString("latin1").trimEnd();
      else {
        const name = long !== undefined && long.checksum === shortNameChecksum(short) ? long.text : shortText(short);
        if (name !== "." && name !== "..")
          entries.push(toEntry(reader, at, prefix === "" ? name : `${prefix}/${name}`));
      }
      long = undefined;
    }
  }
  return { entries, label };
}

function toEntry(reader: ByteReader, at: number, path: string): FatEntry {
  const directory = (reader.u8(at + 11) & FAT_DIRECTORY) !== 0;
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (name === "" || name === "..") throw formatError("FAT directory", at, "a name");
  return {
    path: safePath(path, "FAT"),
    type: directory ? "directory" : "file",
    size: directory ? 0 : reader.u32(at + 28),
    cluster: reader.u16(at + 20) * 0x10000 + reader.u16(at + 26),
  };
}

function prependLong(
  reader: ByteReader,
  at: number,
  later: { text: string; checksum: number } | undefined,
): { text: string; checksum: number } {
  let text = "";
  for (const unit of FAT_LONG_UNITS) {
    const code = reader.u16(at + unit);
    if (code === 0 || code === 0xffff) break;
    text += String.fromCharCode(code);
  }
  const first = (reader.u8(at) & 0x40) !== 0;
  return { text: first || later === undefined ? text : text + later.text, checksum: reader.u8(at + 13) };
}

function shortText(short: Uint8Array): string {
  const text = Buffer.from(short).toString("latin1");
  const base = text.slice(0, 8).trimEnd();
  const extension = text.slice(8).trimEnd();
  return extension === "" ? base : `${base}.${extension}`;
}
