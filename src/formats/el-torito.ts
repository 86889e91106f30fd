/** Where a CD image keeps what UEFI starts: the boot catalog's entries for it (El Torito 1.0 §2; UEFI 2.10 §13.3.2). */
import { ByteReader } from "./byte-reader.ts";
import type { ByteSource } from "./byte-source.ts";
import { readExactly } from "./byte-source.ts";

const SECTOR = 2048;
/** Length of an entry's image is counted in virtual sectors. */
const VIRTUAL_SECTOR = 512;
const BOOT_RECORD_AT = 17 * SECTOR;
const ENTRY = 32;
const PLATFORM_EFI = 0xef;

export interface EfiBootImage {
  /** Bytes. */
  readonly offset: number;
  /** As the catalog says; 0 and 1 mean "up to the end of what is there" (UEFI 2.10 §13.3.2.1). */
  readonly size: number;
}

/** True for an ISO 9660 file system. */
export const isIso = (source: ByteSource): boolean =>
  source.size >= 18 * SECTOR && Buffer.from(source.read(16 * SECTOR, 6)).toString("latin1") === "\x01CD001";

/** Empty when the image has no boot catalog. Throws FORMAT_INVALID when the catalog leaves the image. */
export function readEfiBootImages(source: ByteSource): readonly EfiBootImage[] {
  const record = new ByteReader(source.read(BOOT_RECORD_AT, SECTOR), { format: "El Torito" });
  if (record.length < SECTOR || record.cString(7, 32) !== "EL TORITO SPECIFICATION") return [];
  const at = record.u32(71) * SECTOR;
  const catalog = new ByteReader(readExactly(source, { offset: at, length: SECTOR, format: "El Torito" }), {
    format: "El Torito",
  });
  const found: EfiBootImage[] = [];
  let platform = catalog.u8(1);
  for (let entry = ENTRY; entry < SECTOR; entry += ENTRY) {
    const kind = catalog.u8(entry);
    if (kind === 0x90 || kind === 0x91) platform = catalog.u8(entry + 1);
    else if (kind === 0x88 && platform === PLATFORM_EFI)
      found.push({ offset: catalog.u32(entry + 8) * SECTOR, size: catalog.u16(entry + 6) * VIRTUAL_SECTOR });
  }
  return found;
}
