/** `.sbat`: which generation of each part a program is of, so that all of one generation can be revoked (shim's SBAT.md). */
import type { ByteSource } from "../formats/byte-source.ts";
import { findPeSection, isPe, readPe, readPeText } from "../formats/pe.ts";

const HEADER = "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md";

/** What systemd's ukify writes when none is given: lets a revocation name all UKIs, or all add-ons, of one generation. */
export const SBAT_UKI = "uki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/";
export const SBAT_ADDON =
  "uki-addon,1,UKI Addon,addon,1,https://www.freedesktop.org/software/systemd/man/latest/systemd-stub.html";

/** One header line, then every other line of the programs, and of `own`, once (ukify's rule). */
export function mergeSbat(programs: readonly ByteSource[], own: string): string {
  const lines = new Set<string>();
  for (const program of programs) {
    if (!isPe(program)) continue;
    const section = findPeSection(readPe(program), ".sbat");
    if (section !== undefined) for (const line of sbatLines(readPeText(program, section))) lines.add(line);
  }
  for (const line of sbatLines(own)) lines.add(line);
  return `${[HEADER, ...lines].join("\n")}\n`;
}

const sbatLines = (text: string): string[] =>
  text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("sbat,"));
