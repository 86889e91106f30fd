/** systemd's EFI programs say what they are in a section `.sdmagic`: "#### LoaderInfo: systemd-stub 252.39-1 ####". */
import type { ByteSource } from "./byte-source.ts";
import { findPeSection, readPe, readPeText } from "./pe.ts";

/** Its first stub that reads add-ons (systemd's NEWS, 254). */
export const ADDONS_SINCE = 254;

/** The release of systemd whose stub, loader or (empty) add-on it is; undefined when it is none. */
export function readSystemdMark(source: ByteSource, program: "stub" | "boot" | "addon"): number | undefined {
  const section = findPeSection(readPe(source), ".sdmagic");
  const mark = section !== undefined && section.rawSize < 4096 ? readPeText(source, section) : "";
  const version = new RegExp(`systemd-${program} (\\d+)`).exec(mark)?.[1];
  return version === undefined ? undefined : Number(version);
}
