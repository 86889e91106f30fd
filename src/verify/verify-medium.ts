/** A whole image against a policy: its partition table, its EFI programs, and what these open by a root hash. */
import { BootwrightError } from "../base/errors.ts";
import { isPe } from "../formats/pe.ts";
import { type ProgramReport, verifyProgram } from "./efi-program.ts";
import { type BootVolume, type DiskPartition, type Medium, nameOf } from "./medium.ts";
import type { Policy, Violation } from "./policy.ts";
import type { VerityDemand } from "./verity-demand.ts";
import { findVeritySuperblock, hashVerityImage, type VerityImage } from "./verity-image.ts";

export interface VerityReport {
  readonly where: string;
  /** Hex, of what is there. */
  readonly rootHash: string;
  /** Programs that demand just this. */
  readonly demandedBy: readonly string[];
}

export interface MediumReport {
  readonly format: Medium["format"];
  readonly diskId: string | undefined;
  readonly programs: readonly ProgramReport[];
  readonly verity: readonly VerityReport[];
  /** Files beside the programs: no signature covers them. */
  readonly uncovered: readonly string[];
  /** Root hashes whose images are not here: what was given is no disk, but a program, its volume or a CD. */
  readonly elsewhere: readonly VerityDemand[];
  readonly violations: readonly Violation[];
}

/** What firmware, loader or stub would start or load, by its name. */
const BOOTED = /(^|\/)(vmlinuz|initrd|bzImage|Image)[^/]*$|\.(img|efi|conf|cpio)$|^loader\//i;

export async function verifyMedium(medium: Medium, policy: Policy): Promise<MediumReport> {
  const violations: Violation[] = [...medium.damaged];
  if (policy.require.partitionTable)
    for (const message of medium.table?.problems ?? [])
      violations.push({ rule: "partition-table", where: "disk", message, expected: "two whole tables that agree" });
  const programs: { readonly report: ProgramReport; readonly volume: BootVolume }[] = [];
  const uncovered: string[] = [];
  for (const volume of medium.volumes)
    for (const { path, source } of volume.files) {
      const where = volume.name === "" ? path : `${volume.name}:/${path}`;
      if (!isPe(source)) {
        uncovered.push(where);
        if (policy.require.onlySigned && BOOTED.test(path))
          violations.push({
            rule: "only-signed",
            where,
            message: "no signature covers it",
            expected: "signed programs only",
          });
        continue;
      }
      const result = await verifyProgram(source, { where, policy });
      violations.push(...result.violations);
      if (result.report !== undefined) programs.push({ report: result.report, volume });
    }
  if (programs.length === 0 && violations.length === 0 && medium.format !== "data")
    violations.push({
      rule: "program",
      where: medium.format,
      message: "no EFI program was found",
      expected: "at least one",
    });
  const images = new VerityImages(medium.partitions);
  const elsewhere: VerityDemand[] = [];
  for (const { report, volume } of programs)
    for (const demand of report.demands)
      if (medium.format !== "disk") elsewhere.push(demand);
      else violations.push(...images.check(demand, { by: report.where, volume: volume.name }));
  return {
    format: medium.format,
    diskId: medium.table?.diskId,
    programs: programs.map(({ report }) => report),
    verity: policy.require.verity === "none" ? [] : images.reports(),
    uncovered,
    elsewhere,
    violations,
  };
}

/** Each partition is hashed once, however many programs demand it. */
class VerityImages {
  readonly #partitions: readonly DiskPartition[];
  readonly #hashed = new Map<string, VerityImage>();
  readonly #demanded = new Map<DiskPartition, { readonly image: VerityImage; readonly by: string[] }>();

  constructor(partitions: readonly DiskPartition[]) {
    this.#partitions = partitions;
  }

  check(demand: VerityDemand, { by, volume }: { by: string; volume: string }): readonly Violation[] {
    const slotted = (text: string) => text.replace("{slot}", /-(\w+)$/.exec(volume)?.[1] ?? "{slot}");
    const device = slotted(demand.device);
    const violation = (message: string, expected: string): readonly Violation[] => [
      { rule: "verity", where: `${demand.name} on ${device}`, message: `${message} (demanded by ${by})`, expected },
    ];
    const at = (place: string) => this.#partitions.filter((partition) => isDevice(partition, place));
    const [[partition, ...others], [hashes, ...more]] = [at(device), at(slotted(demand.hashes ?? demand.device))];
    if (partition === undefined || others.length > 0)
      return violation(`the disk has ${at(device).length} such partitions`, "just one");
    if (hashes === undefined || more.length > 0)
      return violation(`of ${slotted(demand.hashes!)}, with its hash tree, the disk has ${more.length}`, "just one");
    try {
      const image = this.#hash(partition, { hashes, hashOffset: demand.hashOffset });
      if (image.rootHash !== demand.rootHash) return violation(`its root hash is ${image.rootHash}`, demand.rootHash);
      if (demand.salt !== undefined && demand.salt !== image.salt)
        return violation(`the salt of its superblock is ${image.salt}`, demand.salt);
      if (demand.dataBlocks !== undefined && demand.dataBlocks !== image.dataBlocks)
        return violation(`it has ${image.dataBlocks} blocks of data`, String(demand.dataBlocks));
      if (!image.treeIntact) return violation("its hash tree is not the data's", "the tree of its data");
      const known = this.#demanded.get(partition);
      if (known === undefined) this.#demanded.set(partition, { image, by: [by] });
      else known.by.push(by);
      return [];
    } catch (error) {
      if (!(error instanceof BootwrightError)) throw error;
      return violation(`${error.code}: ${error.message}`, `a dm-verity image with root hash ${demand.rootHash}`);
    }
  }

  /** Also images that nobody demands: their hashes may be of use to somebody. */
  reports(): readonly VerityReport[] {
    return this.#partitions.flatMap((partition) => {
      const where = `partition ${nameOf(partition)}`;
      const demanded = this.#demanded.get(partition);
      if (demanded !== undefined) return [{ where, rootHash: demanded.image.rootHash, demandedBy: demanded.by }];
      try {
        const at = findVeritySuperblock(partition.source);
        return at === undefined
          ? []
          : [
              {
                where,
                rootHash: this.#hash(partition, { hashes: partition, hashOffset: at }).rootHash,
                demandedBy: [],
              },
            ];
      } catch (error) {
        if (error instanceof BootwrightError) return [];
        throw error;
      }
    });
  }

  #hash(partition: DiskPartition, place: { hashes: DiskPartition; hashOffset: number }): VerityImage {
    const { hashes, hashOffset } = place;
    const key = `${partition.number} ${hashes.number} ${hashOffset}`;
    const image =
      this.#hashed.get(key) ??
      hashVerityImage(partition.source, { hashes: hashes.source, hashOffset, what: nameOf(partition) });
    this.#hashed.set(key, image);
    return image;
  }
}

function isDevice(partition: DiskPartition, device: string): boolean {
  const [, kind, value] = /^(PARTLABEL|PARTUUID)=(.*)$/.exec(device) ?? [];
  if (kind === "PARTLABEL") return partition.name === value;
  if (kind === "PARTUUID") return partition.id.toLowerCase() === value!.toLowerCase();
  // Which disk it is, is not known before it starts; which partition, its number tells.
  return Number(/^\/dev\/(?:[a-z]+|nvme\d+n\d+p|mmcblk\d+p)(\d+)$/.exec(device)?.[1]) === partition.number;
}
