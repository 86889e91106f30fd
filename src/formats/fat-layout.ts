/**
 * Where things lie on a FAT volume. FAT12 is never written. FAT32 needs 65,525 clusters and is refused by some firmware
 * on small volumes, so volumes below 64 MiB are FAT16.
 */
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";

export interface FatLayout {
  readonly type: 16 | 32;
  /** Bytes. */
  readonly sectorSize: number;
  readonly sectorsPerCluster: number;
  /** Bytes. */
  readonly clusterSize: number;
  readonly reservedSectors: number;
  /** Sectors of one of the two file allocation tables. */
  readonly fatSectors: number;
  /** FAT16 only: slots of the fixed root directory. */
  readonly rootEntries: number;
  readonly totalSectors: number;
  readonly clusters: number;
  /** Byte offset of cluster 2. */
  readonly dataOffset: number;
}

export const FAT_COPIES = 2;
const MIB = 1024 * 1024;
const FAT32_FROM = 64 * MIB;
const ROOT_ENTRIES = 512; // What every driver expects of FAT16.
/** Cluster counts this near to a border are read as the other type by some drivers, so they are avoided. */
const MARGIN = 16;
const FAT16_MIN = 4085 + MARGIN;
const FAT16_MAX = 65_524 - MARGIN;
const FAT32_MIN = 65_525 + MARGIN;
const FAT32_MAX = 268_435_444 - MARGIN;
const MAX_CLUSTER = 32 * 1024;
/** 32-bit sector counts. */
const MAX_SECTORS = 0xffff_ffff;

/** The layout of a volume of exactly `size` bytes. Throws LIMIT_EXCEEDED when no FAT16 or FAT32 has that size. */
export function planFat(size: number, sectorSize: number): FatLayout {
  const totalSectors = Math.floor(size / sectorSize);
  if (totalSectors > MAX_SECTORS) throw sizeError(size, "more than 2^32 − 1 sectors");
  const order: readonly (16 | 32)[] = size >= FAT32_FROM ? [32, 16] : [16];
  for (const type of order) {
    const first = type === 32 ? preferredCluster(size, sectorSize) : 1;
    for (let spc = first; spc >= 1 && spc * sectorSize <= MAX_CLUSTER && spc <= 128; spc = nextCluster(type, spc)) {
      const layout = solve({ type, sectorSize, sectorsPerCluster: spc, totalSectors });
      const [least, most] = type === 32 ? [FAT32_MIN, FAT32_MAX] : [FAT16_MIN, FAT16_MAX];
      if (layout !== undefined && layout.clusters >= least && layout.clusters <= most) return layout;
    }
  }
  throw sizeError(size, `no FAT16 or FAT32 with ${sectorSize}-byte sectors has that size`);
}

/** The smallest whole number of MiB from which a volume can be made. */
export const smallestFat = (sectorSize: number): number => alignUp((FAT16_MIN + 64) * sectorSize, MIB);

// FAT16 wants the smallest clusters that still count below its border; FAT32 halves from the preferred size.
const nextCluster = (type: 16 | 32, spc: number): number => (type === 16 ? spc * 2 : Math.floor(spc / 2));

/** The cluster sizes that Microsoft's formatter chooses. */
function preferredCluster(size: number, sectorSize: number): number {
  const gib = 1024 * MIB;
  const cluster =
    size <= 260 * MIB ? 512 : size <= 8 * gib ? 4096 : size <= 16 * gib ? 8192 : size <= 32 * gib ? 16384 : 32768;
  return Math.max(1, cluster / sectorSize);
}

function solve(
  given: Pick<FatLayout, "type" | "sectorSize" | "sectorsPerCluster" | "totalSectors">,
): FatLayout | undefined {
  const { type, sectorSize, sectorsPerCluster, totalSectors } = given;
  const reservedSectors = type === 32 ? 32 : 4;
  const rootEntries = type === 32 ? 0 : ROOT_ENTRIES;
  const rootSectors = (rootEntries * 32) / sectorSize;
  const available = totalSectors - reservedSectors - rootSectors;
  if (available <= 0) return undefined;
  // Each cluster costs its own sectors and its entry in both tables.
  const entryBytes = type / 8;
  const guess = Math.ceil(((available / sectorsPerCluster + 2) * entryBytes) / sectorSize);
  const fatSectors = Math.max(1, guess);
  const clusters = Math.floor((available - FAT_COPIES * fatSectors) / sectorsPerCluster);
  return {
    ...given,
    clusterSize: sectorsPerCluster * sectorSize,
    reservedSectors,
    fatSectors,
    rootEntries,
    clusters,
    dataOffset: (reservedSectors + FAT_COPIES * fatSectors + rootSectors) * sectorSize,
  };
}

const sizeError = (size: number, why: string): BootwrightError =>
  new BootwrightError("LIMIT_EXCEEDED", `FAT: a volume of ${formatSize(size)} (${size} bytes) cannot be made: ${why}`);
