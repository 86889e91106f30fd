/** How long a file system is, by its own superblock: behind it may lie a hash tree. */
import type { ByteSource } from "../formats/byte-source.ts";

/** Bytes; undefined for anything but SquashFS, EROFS and ext4. */
export function fileSystemSize(source: ByteSource): number | undefined {
  const head = Buffer.from(source.read(0, 2048));
  if (head.length < 2048) return undefined;
  // SquashFS 4.0: magic, and bytes_used at 40 (kernel fs/squashfs/squashfs_fs.h).
  if (head.toString("latin1", 0, 4) === "hsqs") return safe(head.readBigUInt64LE(40));
  // EROFS: the superblock lies at 1024 (kernel fs/erofs/erofs_fs.h).
  if (head.readUInt32LE(1024) === 0xe0f5_e1e2) return head.readUInt32LE(1024 + 36) * 2 ** head[1024 + 12]!;
  // ext4: at 1024, too (kernel Documentation/filesystems/ext4/super.rst).
  if (head.readUInt16LE(1024 + 56) === 0xef53) {
    const blocks = head.readUInt32LE(1024 + 4) + head.readUInt32LE(1024 + 0x150) * 2 ** 32;
    return blocks * 1024 * 2 ** head.readUInt32LE(1024 + 24);
  }
  return undefined;
}

const safe = (value: bigint): number | undefined =>
  value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined;
