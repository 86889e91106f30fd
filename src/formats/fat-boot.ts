/** The boot sector and the FSInfo sector of FAT volumes. */
import type { FatLayout } from "./fat-layout.ts";
import { FAT_COPIES } from "./fat-layout.ts";

export interface FatBoot {
  readonly layout: FatLayout;
  readonly label: Uint8Array | undefined;
  readonly volumeId: number;
  readonly hiddenSectors: number;
}

const NO_NAME = Buffer.from("NO NAME    ");

export function encodeBootSector(boot: FatBoot): Buffer {
  const { layout } = boot;
  const out = Buffer.alloc(layout.sectorSize);
  const wide = layout.type === 32;
  out.set(wide ? [0xeb, 0x58, 0x90] : [0xeb, 0x3c, 0x90]);
  out.write("BOOTWRGT", 3, "latin1");
  out.writeUInt16LE(layout.sectorSize, 11);
  out[13] = layout.sectorsPerCluster;
  out.writeUInt16LE(layout.reservedSectors, 14);
  out[16] = FAT_COPIES;
  out.writeUInt16LE(layout.rootEntries, 17);
  const short = !wide && layout.totalSectors < 0x10000;
  out.writeUInt16LE(short ? layout.totalSectors : 0, 19);
  out[21] = 0xf8; // Fixed disk.
  out.writeUInt16LE(wide ? 0 : layout.fatSectors, 22);
  out.writeUInt16LE(63, 24); // Geometry that only BIOS code reads.
  out.writeUInt16LE(255, 26);
  out.writeUInt32LE(boot.hiddenSectors, 28);
  out.writeUInt32LE(short ? 0 : layout.totalSectors, 32);
  if (wide) {
    out.writeUInt32LE(layout.fatSectors, 36);
    out.writeUInt32LE(2, 44); // The root directory's first cluster.
    out.writeUInt16LE(1, 48); // FSInfo.
    out.writeUInt16LE(6, 50); // The backup boot sector.
  }
  const tail = wide ? 64 : 36;
  out[tail] = 0x80;
  out[tail + 2] = 0x29; // "The next three fields are there."
  out.writeUInt32LE(boot.volumeId, tail + 3);
  out.set(boot.label ?? NO_NAME, tail + 7);
  out.write(wide ? "FAT32   " : "FAT16   ", tail + 18, "latin1");
  out.set([0xcd, 0x18, 0xeb, 0xfe], tail + 26); // int 18h, then stop: a BIOS goes on to the next disk.
  out.writeUInt16LE(0xaa55, 510);
  return out;
}

export function encodeFsInfo(info: { sectorSize: number; free: number; next: number }): Buffer {
  const out = Buffer.alloc(info.sectorSize);
  out.writeUInt32LE(0x4161_5252, 0);
  out.writeUInt32LE(0x6141_7272, 484);
  out.writeUInt32LE(info.free, 488);
  out.writeUInt32LE(info.free === 0 ? 0xffff_ffff : info.next, 492);
  out.writeUInt32LE(0xaa55_0000, 508);
  return out;
}
