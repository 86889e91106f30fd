/**
 * CRC-32C (Castagnoli) as ext4 and EROFS use it: no inversion at either end, so that a checksum can go on where another stopped
 * (Documentation/filesystems/ext4/checksums.rst). zlib's crc32 is another polynomial. Slicing by 8: every inode and
 * directory block of an image passes here, so a byte at a time would be felt.
 */

const POLYNOMIAL = 0x82f63b78;
/** Eight tables of 256 one after the other; signed, so that the engine keeps all of it in machine integers. */
const TABLES = makeTables();

/** What a checksum starts with; ext4's own seed is the checksum of the volume's UUID. */
export const CRC_START = 0xffff_ffff;

export function crc32c(start: number, bytes: Uint8Array, from = 0, to = bytes.length): number {
  const t = TABLES;
  let crc = start | 0;
  let at = from;
  for (const end = to - 7; at < end; at += 8) {
    crc ^= bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    crc =
      t[1792 + (crc & 255)]! ^
      t[1536 + ((crc >>> 8) & 255)]! ^
      t[1280 + ((crc >>> 16) & 255)]! ^
      t[1024 + (crc >>> 24)]! ^
      t[768 + bytes[at + 4]!]! ^
      t[512 + bytes[at + 5]!]! ^
      t[256 + bytes[at + 6]!]! ^
      t[bytes[at + 7]!]!;
  }
  for (; at < to; at++) crc = t[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8);
  return crc >>> 0;
}

/** The checksum goes on over a number of 32 bits, little-endian. */
export function crc32cNumber(start: number, value: number): number {
  word.writeUInt32LE(value);
  return crc32c(start, word);
}

const word = Buffer.alloc(4);

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    tables[i] = crc;
  }
  for (let i = 256; i < tables.length; i++) {
    const before = tables[i - 256]!;
    tables[i] = tables[before & 255]! ^ (before >>> 8);
  }
  return tables;
}
