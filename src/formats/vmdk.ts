/** The descriptor inside a sparse VMDK ("Virtual Disk Format 5.0", §"Hosted Sparse Extents"): text that says what the disk is. */
import { BootwrightError } from "../base/errors.ts";
import { type ByteSource, readExactly } from "./byte-source.ts";
import type { SparseWrite } from "./sparse-write.ts";

const SECTOR = 512;
const MAGIC = "KDMV";
/** VMware writes 20 sectors. */
const MAX_DESCRIPTOR = 128;

/**
 * What to write over a VMDK so that it has this content id and file name in place of those that it was given by lot. Throws
 * FORMAT_INVALID for what is no sparse VMDK.
 */
export function fixVmdk(
  source: ByteSource,
  { contentId, fileName }: { contentId: number; fileName: string },
): SparseWrite {
  const header = Buffer.from(readExactly(source, { offset: 0, length: SECTOR, format: "VMDK" }));
  const start = Number(header.readBigUInt64LE(28));
  const length = Number(header.readBigUInt64LE(36));
  if (header.toString("latin1", 0, 4) !== MAGIC || start === 0 || length === 0 || length > MAX_DESCRIPTOR)
    throw invalid("no sparse disk with a descriptor");
  const room = length * SECTOR;
  const old = Buffer.from(readExactly(source, { offset: start * SECTOR, length: room, format: "VMDK" }));
  const text = old
    .toString("latin1")
    .replace(/\0[\s\S]*$/, "")
    .replace(/^CID=.*$/m, `CID=${contentId.toString(16).padStart(8, "0")}`)
    .replace(/^(RW \d+ SPARSE) ".*"$/m, (_, extent: string) => `${extent} "${fileName}"`);
  if (!text.includes(`"${fileName}"`)) throw invalid("the descriptor has no extent");
  if (text.length > room) throw new BootwrightError("LIMIT_EXCEEDED", `VMDK: the file name ${fileName} is too long`);
  const bytes = Buffer.alloc(room);
  bytes.write(text, "latin1");
  return { offset: start * SECTOR, bytes };
}

const invalid = (why: string): BootwrightError => new BootwrightError("FORMAT_INVALID", `VMDK: ${why}`);
