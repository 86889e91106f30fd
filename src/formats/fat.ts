/**
 * Writes a FAT16 or FAT32 volume in one pass: the same files give the same bytes, whatever the order they are given in.
 * Everything is placed before the first byte is written, directories first, each file contiguous (Microsoft's "FAT:
 * General Overview of On-Disk Format", 1.03).
 */
import { alignUp, comparePaths } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import { ChunkBatcher } from "./chunk-batcher.ts";
import { encodeBootSector, encodeFsInfo } from "./fat-boot.ts";
import {
  FAT_DIRECTORY,
  FAT_FILE,
  FAT_LABEL,
  FAT_SLOT,
  type FatTime,
  fatSlotCount,
  fatTime,
  writeFatSlot,
} from "./fat-directory.ts";
import { FAT_COPIES, type FatLayout, planFat, smallestFat } from "./fat-layout.ts";
import { type FatName, FatNamer, fatLabel } from "./fat-names.ts";
import { baseName, type FileContent, parentPath, safePath } from "./filetree.ts";
import { bytesOnly, type ImagePiece, type SparseWrite } from "./sparse-write.ts";

export type FatItem = FatFile | { readonly type: "directory"; readonly path: string };

export interface FatFile {
  readonly type: "file";
  /** Relative, `/`-separated; missing directories are made. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly read: () => Iterable<Uint8Array>;
  /** What `pieces` may refer to instead. */
  readonly content?: FileContent;
}

export interface FatOptions {
  /** The volume id is made from it. */
  readonly seed: string;
  /** Seconds since the epoch, for every date on the volume. */
  readonly epoch: number;
  /** Bytes; absent: the smallest whole number of MiB that holds the files and `free`. */
  readonly size?: number;
  /** Bytes to leave free when the size is chosen; default 0. */
  readonly free?: number;
  readonly sectorSize?: 512 | 4096;
  /** At most 11 characters. */
  readonly label?: string;
  /** Sectors before the volume on its disk; default 0. */
  readonly hiddenSectors?: number;
}

export interface FatImage {
  /** Bytes. */
  readonly size: number;
  readonly type: 16 | 32;
  /** The ranges that hold data, in rising order; any number of times. */
  readonly writes: () => Generator<SparseWrite>;
  /** The same, with contents of at least `refer` bytes as references where the files have them. */
  readonly pieces: (refer: number) => Generator<ImagePiece>;
}

/**
 * Throws LIMIT_EXCEEDED (a file over 4 GiB − 1, a name over 255 units, a full root directory, files that do not fit into
 * `size`), UNSUPPORTED (characters), TREE_CONFLICT (names equal but for case), PATH_UNSAFE, and while writing a plain
 * Error when a `read` does not deliver its size.
 */
export function encodeFat(items: Iterable<FatItem>, options: FatOptions): FatImage {
  const root = buildTree(items);
  const sectorSize = options.sectorSize ?? 512;
  const label = options.label === undefined ? undefined : fatLabel(options.label);
  const layout =
    options.size === undefined ? fitLayout(root, { ...options, sectorSize }) : planFat(options.size, sectorSize);
  const placed = place(root, layout);
  const stamp = fatTime(options.epoch);
  const volumeId = Number.parseInt(digestOf(options.seed).hash.slice(0, 8), 16);
  const boot = { layout, label, volumeId, hiddenSectors: options.hiddenSectors ?? 0 };
  const size = options.size ?? layout.totalSectors * sectorSize;
  const pieces = function* (refer: number): Generator<ImagePiece> {
    yield { offset: 0, bytes: encodeBootSector(boot) };
    if (layout.type === 32) {
      const info = encodeFsInfo({ sectorSize, free: layout.clusters - placed.used, next: 2 + placed.used });
      yield { offset: sectorSize, bytes: info };
      yield { offset: 6 * sectorSize, bytes: encodeBootSector(boot) };
      yield { offset: 7 * sectorSize, bytes: info };
    }
    const table = encodeTable(layout, placed);
    for (let copy = 0; copy < FAT_COPIES; copy++)
      yield { offset: (layout.reservedSectors + copy * layout.fatSectors) * sectorSize, bytes: table };
    const rootBytes = encodeDirectory(root, { layout, stamp, label });
    if (layout.type === 16) yield { offset: layout.dataOffset - layout.rootEntries * FAT_SLOT, bytes: rootBytes };
    yield* writeData(placed, { layout, stamp, label, refer });
  };
  return { size, type: layout.type, pieces, writes: () => bytesOnly(pieces(Number.POSITIVE_INFINITY)) };
}

interface Directory {
  readonly type: "directory";
  readonly path: string;
  readonly parent: Directory | undefined;
  readonly children: Map<string, { readonly node: Directory | PlacedFile; readonly name: FatName }>;
  cluster: number;
}

interface PlacedFile {
  readonly type: "file";
  readonly source: FatFile;
  cluster: number;
}

function buildTree(items: Iterable<FatItem>): Directory {
  const sorted = [...items].map((item) => ({ ...item, path: safePath(item.path, "FAT") }));
  sorted.sort((a, b) => comparePaths(a.path, b.path));
  const root: Directory = { type: "directory", path: "", parent: undefined, children: new Map(), cluster: 0 };
  const directories = new Map<string, Directory>([["", root]]);
  const namers = new Map<Directory, FatNamer>();
  const add = (parent: Directory, node: Directory | PlacedFile, path: string) => {
    const namer = namers.get(parent) ?? new FatNamer();
    namers.set(parent, namer);
    parent.children.set(baseName(path), { node, name: namer.add(baseName(path), path) });
  };
  const directory = (path: string): Directory => {
    const known = directories.get(path);
    if (known !== undefined) return known;
    const parent = directory(parentPath(path));
    const made: Directory = { type: "directory", path, parent, children: new Map(), cluster: 0 };
    add(parent, made, path);
    directories.set(path, made);
    return made;
  };
  for (const item of sorted) {
    if (item.type === "directory") directory(item.path);
    else {
      if (item.path === "") throw new BootwrightError("PATH_UNSAFE", "FAT: a file without a name");
      if (item.size > 0xffff_ffff)
        throw new BootwrightError(
          "LIMIT_EXCEEDED",
          `FAT: ${item.path}: ${item.size} bytes; the format holds at most 4294967295`,
        );
      add(directory(parentPath(item.path)), { type: "file", source: item, cluster: 0 }, item.path);
    }
  }
  return root;
}

function fitLayout(root: Directory, options: { sectorSize: number; free?: number }): FatLayout {
  const mib = 1024 * 1024;
  let size = smallestFat(options.sectorSize);
  for (;;) {
    const layout = planFat(size, options.sectorSize);
    const missing =
      clustersNeeded(root, layout) + Math.ceil((options.free ?? 0) / layout.clusterSize) - layout.clusters;
    if (missing <= 0) return layout;
    size = alignUp(size + missing * layout.clusterSize, mib);
  }
}

interface Placement {
  readonly directories: readonly Directory[];
  readonly files: readonly PlacedFile[];
  /** Clusters in use. */
  readonly used: number;
}

function place(root: Directory, layout: FatLayout): Placement {
  const directories: Directory[] = [];
  const files: PlacedFile[] = [];
  const walk = (dir: Directory) => {
    if (dir !== root || layout.type === 32) directories.push(dir);
    for (const { node } of dir.children.values()) {
      if (node.type === "directory") walk(node);
      else if (node.source.size > 0) files.push(node);
    }
  };
  walk(root);
  if (layout.type === 16 && slots(root) + 1 > layout.rootEntries)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `FAT: the top directory needs ${slots(root) + 1} slots; FAT16 has ${layout.rootEntries}`,
    );
  let next = 2;
  for (const node of [...directories, ...files]) {
    node.cluster = next;
    next += clustersOf(node, layout);
  }
  const used = next - 2;
  if (used > layout.clusters)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `FAT: the files need ${formatSize(used * layout.clusterSize)}, the volume holds ${formatSize(layout.clusters * layout.clusterSize)}`,
      { hint: "give the volume a larger size, or none: then the size follows the files" },
    );
  return { directories, files, used };
}

function clustersNeeded(dir: Directory, layout: FatLayout): number {
  let sum = dir.parent !== undefined || layout.type === 32 ? clustersOf(dir, layout) : 0;
  for (const { node } of dir.children.values())
    sum += node.type === "directory" ? clustersNeeded(node, layout) : clustersOf(node, layout);
  return sum;
}

const clustersOf = (node: Directory | PlacedFile, layout: FatLayout): number =>
  Math.ceil(lengthOf(node) / layout.clusterSize);

/** Bytes; a directory always holds at least one slot, so it always has a cluster. */
function lengthOf(node: Directory | PlacedFile): number {
  if (node.type === "file") return node.source.size;
  const length = (slots(node) + (node.parent === undefined ? 1 : 2)) * FAT_SLOT; // The label, or `.` and `..`.
  if (length > 65536 * FAT_SLOT)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `FAT: directory ${node.path}: ${length / FAT_SLOT} slots; the format holds 65536`,
    );
  return length;
}

function slots(dir: Directory): number {
  let sum = 0;
  for (const { name } of dir.children.values()) sum += fatSlotCount(name);
  return sum;
}

/** The table up to the last cluster in use; behind it all is zero, which means free. */
function encodeTable(layout: FatLayout, placed: Placement): Buffer {
  const bytes = layout.type / 8;
  const out = Buffer.alloc((placed.used + 2) * bytes);
  const end = layout.type === 16 ? 0xffff : 0x0fff_ffff;
  const set = (cluster: number, value: number) =>
    layout.type === 16 ? out.writeUInt16LE(value, cluster * 2) : out.writeUInt32LE(value, cluster * 4);
  set(0, end - 7); // The media byte 0xF8 and ones.
  set(1, end); // The bits that say: cleanly unmounted, no errors.
  for (const node of [...placed.directories, ...placed.files]) {
    const count = clustersOf(node, layout);
    for (let i = 0; i < count; i++) set(node.cluster + i, i === count - 1 ? end : node.cluster + i + 1);
  }
  return out;
}

interface DirectoryContext {
  readonly layout: FatLayout;
  readonly stamp: FatTime;
  readonly label: Uint8Array | undefined;
}

function encodeDirectory(dir: Directory, context: DirectoryContext): Buffer {
  const { layout, stamp, label } = context;
  const out = Buffer.alloc(lengthOf(dir));
  let at = 0;
  if (dir.parent !== undefined) {
    // By definition `..` of a directory at the top says 0, also on FAT32.
    const up = dir.parent.parent === undefined ? 0 : dir.parent.cluster;
    for (const [name, cluster] of [
      [".", dir.cluster],
      ["..", up],
    ] as const)
      at = writeFatSlot(out, at, {
        name: { short: Buffer.from(name.padEnd(11)) },
        attributes: FAT_DIRECTORY,
        cluster,
        size: 0,
        stamp,
      });
  } else if (label !== undefined) {
    at = writeFatSlot(out, at, { name: { short: label }, attributes: FAT_LABEL, cluster: 0, size: 0, stamp });
  }
  for (const { node, name } of dir.children.values()) {
    const file = node.type === "file";
    const size = file ? node.source.size : 0;
    at = writeFatSlot(out, at, {
      name,
      attributes: file ? FAT_FILE : FAT_DIRECTORY,
      cluster: node.cluster,
      size,
      stamp,
    });
  }
  return layout.type === 16 && dir.parent === undefined ? out.subarray(0, at) : out;
}

function* writeData(
  placed: Placement,
  { refer, ...context }: DirectoryContext & { refer: number },
): Generator<ImagePiece> {
  const { layout } = context;
  let offset = layout.dataOffset;
  const withOffsets = function* (chunks: Iterable<Uint8Array>): Generator<SparseWrite> {
    for (const bytes of chunks) {
      yield { offset, bytes };
      offset += bytes.length;
    }
  };
  const out = new ChunkBatcher();
  for (const dir of placed.directories) {
    yield* withOffsets(out.write(encodeDirectory(dir, context)));
    yield* withOffsets(out.pad(layout.clusterSize));
  }
  for (const { source } of placed.files) {
    if (source.content !== undefined && source.size >= refer) {
      yield* withOffsets(out.flush());
      yield { offset, content: source.content, from: 0, length: source.size };
      offset += alignUp(source.size, layout.clusterSize);
      continue;
    }
    let written = 0;
    for (const chunk of source.read()) {
      written += chunk.length;
      if (written > source.size) break;
      yield* withOffsets(out.write(chunk));
    }
    if (written !== source.size)
      throw new Error(`FAT: ${source.path}: wrote ${written} of ${source.size} bytes; the image is damaged`);
    yield* withOffsets(out.pad(layout.clusterSize));
  }
  yield* withOffsets(out.flush());
}
