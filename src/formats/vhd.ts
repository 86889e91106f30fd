/** The footer of a VHD ("Virtual Hard Disk Image Format Specification" 1.0): when the disk was made, and its identity. */
import { BootwrightError } from "../base/errors.ts";
import { type ByteSource, readExactly } from "./byte-source.ts";
import type { SparseWrite } from "./sparse-write.ts";

const FOOTER = 512;
const COOKIE = "conectix";
/** Seconds from the epoch to 2000-01-01, where a VHD's time begins. */
const VHD_EPOCH = 946_684_800;
const CHECKSUM_AT = 64;

/** What to write over a dynamic VHD: its footer, at the end and as a copy at the start. Throws FORMAT_INVALID. */
export function fixVhd(source: ByteSource, { uuid, epoch }: { uuid: string; epoch: number }): readonly SparseWrite[] {
  const end = source.size - FOOTER;
  return [0, end].map((offset) => {
    const footer = Buffer.from(readExactly(source, { offset: Math.max(0, offset), length: FOOTER, format: "VHD" }));
    if (footer.toString("latin1", 0, 8) !== COOKIE)
      throw new BootwrightError("FORMAT_INVALID", `VHD: no footer at ${offset}`);
    footer.writeUInt32BE(Math.max(0, Math.min(epoch - VHD_EPOCH, 0xffff_ffff)), 24);
    Buffer.from(uuid.replaceAll("-", ""), "hex").copy(footer, 68);
    footer.writeUInt32BE(0, CHECKSUM_AT);
    footer.writeUInt32BE(~footer.reduce((sum, byte) => sum + byte, 0) >>> 0, CHECKSUM_AT);
    return { offset, bytes: footer };
  });
}
