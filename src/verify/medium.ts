/** What there is to verify: the partitions of a disk, and the files of every volume that firmware can read. */
import { BootwrightError } from "../base/errors.ts";
import { type ByteSource, sliceSource } from "../formats/byte-source.ts";
import { isIso, readEfiBootImages } from "../formats/el-torito.ts";
import { readFat } from "../formats/fat-reader.ts";
import { type GptCopies, isGpt, readGptCopies } from "../formats/gpt-reader.ts";
import { isPe } from "../formats/pe.ts";
import type { Violation } from "./policy.ts";

export interface BootFile {
  /** Relative, `/`-separated. */
  readonly path: string;
  readonly source: ByteSource;
}

/** A FAT file system, a directory in its place, or a lone program. */
export interface BootVolume {
  /** "esp", "" for a lone file or directory. */
  readonly name: string;
  readonly files: readonly BootFile[];
}

export interface DiskPartition {
  readonly name: string;
  readonly number: number;
  readonly id: string;
  readonly source: ByteSource;
}

export interface Medium {
  readonly format: "program" | "volume" | "disk" | "iso" | "data";
  readonly volumes: readonly BootVolume[];
  readonly partitions: readonly DiskPartition[];
  readonly table: Pick<GptCopies, "diskId" | "problems"> | undefined;
  /** Volumes that could not be read. */
  readonly damaged: readonly Violation[];
}

/** `label` names the file for people. Throws FORMAT_INVALID when a partition table is beyond reading. */
export function openMedium(source: ByteSource, label: string): Medium {
  const none = { partitions: [], table: undefined, damaged: [] };
  if (isPe(source)) return { ...none, format: "program", volumes: [{ name: "", files: [{ path: label, source }] }] };
  const iso = isIso(source);
  if (isGpt(source) || hasSecondTable(source)) return openDisk(source, iso);
  if (iso) return { ...none, ...collectVolumes(bootImages(source)), format: "iso" };
  if (isFat(source)) return { ...none, ...collectVolumes([{ name: "", source }]), format: "volume" };
  return { ...none, format: "data", volumes: [] };
}

function openDisk(source: ByteSource, iso: boolean): Medium {
  const gpt = readGptCopies(source);
  const partitions = gpt.partitions.map(({ name, number, id, offset, size }) => ({
    ...{ name, number, id, offset },
    source: sliceSource(source, { offset, size, format: "GPT" }),
  }));
  const candidates = partitions.filter((one) => isFat(one.source)).map((one) => ({ ...one, name: nameOf(one) }));
  // From a CD, firmware starts what the boot catalog names; usually that is one of the partitions.
  const more = iso ? bootImages(source).filter(({ offset }) => !partitions.some((one) => one.offset === offset)) : [];
  return {
    ...collectVolumes([...candidates, ...more]),
    format: iso ? "iso" : "disk",
    partitions,
    table: { diskId: gpt.diskId, problems: gpt.problems },
  };
}

function bootImages(source: ByteSource): { name: string; offset: number; source: ByteSource }[] {
  return readEfiBootImages(source).map(({ offset, size }, i) => ({
    name: `boot-image-${i + 1}`,
    offset,
    source: sliceSource(source, { offset, size: size > 512 ? size : source.size - offset, format: "El Torito" }),
  }));
}

export const nameOf = ({ name, number }: Pick<DiskPartition, "name" | "number">): string =>
  name === "" ? `partition-${number}` : name;

/** A table that was wiped at the front is still one: what is wrong with it is said. */
function hasSecondTable(source: ByteSource): boolean {
  return [512, 4096].some(
    (sector) =>
      source.size >= 4 * sector && Buffer.from(source.read(source.size - sector, 8)).toString("latin1") === "EFI PART",
  );
}

function isFat(source: ByteSource): boolean {
  const head = Buffer.from(source.read(0, Math.min(512, source.size)));
  if (head.length < 512 || head.readUInt16LE(510) !== 0xaa55) return false;
  return head.toString("latin1", 54, 57) === "FAT" || head.toString("latin1", 82, 85) === "FAT";
}

function collectVolumes(
  candidates: readonly { readonly name: string; readonly source: ByteSource }[],
): Pick<Medium, "volumes" | "damaged"> {
  const volumes: BootVolume[] = [];
  const damaged: Violation[] = [];
  for (const { name, source } of candidates)
    try {
      const fat = readFat(source);
      const files = fat.entries.filter(({ type }) => type === "file");
      volumes.push({ name, files: files.map((entry) => ({ path: entry.path, source: fat.open(entry) })) });
    } catch (error) {
      if (!(error instanceof BootwrightError)) throw error;
      const message = `${error.code}: ${error.message}`;
      damaged.push({ rule: "format", where: name, message, expected: "a FAT file system without damage" });
    }
  return { volumes, damaged };
}
