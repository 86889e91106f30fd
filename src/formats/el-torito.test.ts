import { describe, expect, test } from "vitest";
import { sourceOfBytes } from "./byte-source.ts";
import { isIso, readEfiBootImages } from "./el-torito.ts";

const SECTOR = 2048;

function iso(catalogAt = 20): Buffer {
  const bytes = Buffer.alloc(40 * SECTOR);
  bytes.write("\x01CD001", 16 * SECTOR, "latin1");
  bytes.write("\0CD001\x01EL TORITO SPECIFICATION", 17 * SECTOR, "latin1");
  bytes.writeUInt32LE(catalogAt, 17 * SECTOR + 71);
  if (catalogAt >= 40) return bytes;
  const catalog = bytes.subarray(catalogAt * SECTOR);
  const entry = (at: number, sectors: number, lba: number) => {
    catalog[at] = 0x88;
    catalog.writeUInt16LE(sectors, at + 6);
    catalog.writeUInt32LE(lba, at + 8);
  };
  catalog[0] = 1; // The first platform is the PC's BIOS.
  entry(32, 4, 22);
  catalog[64] = 0x91;
  catalog[65] = 0xef;
  entry(96, 8, 24);
  return bytes;
}

describe("El Torito", () => {
  test("names what UEFI starts, and not what a BIOS does", () => {
    const source = sourceOfBytes(iso());
    expect(isIso(source)).toBe(true);
    expect(readEfiBootImages(source)).toEqual([{ offset: 24 * SECTOR, size: 4096 }]);
  });

  test("without a boot record there is none", () => {
    const bytes = iso();
    bytes.fill(0, 17 * SECTOR, 18 * SECTOR);
    expect(readEfiBootImages(sourceOfBytes(bytes))).toEqual([]);
    expect(isIso(sourceOfBytes(Buffer.alloc(100)))).toBe(false);
  });

  test("a catalog outside of the image is refused", () => {
    expect(() => readEfiBootImages(sourceOfBytes(iso(5000)))).toThrow(
      expect.objectContaining({ code: "FORMAT_INVALID" }),
    );
  });
});
