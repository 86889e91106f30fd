/**
 * What systemd's stub extends PCR 11 with (systemd-stub(7), "TPM PCR Notes"; UAPI.5 "UKI TPM PCR Measurements"): for each
 * section in a fixed order its name with the NUL, then its content as it lies in memory, zeros up to its virtual size
 * included. Later each phase of the boot extends it by its name (systemd-pcrphase.service(8)).
 */
import { createHash } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { findPeSection, type PeSection, peContentSize, readPe, readPeSection } from "./pe.ts";
import { readSystemdMark } from "./systemd-mark.ts";

export interface Pcr11 {
  /** "" before the first phase, then "enter-initrd", "enter-initrd:leave-initrd" … */
  readonly phase: string;
  /** SHA-256 bank, hex. */
  readonly value: string;
}

/** Those that systemd-measure signs by default. */
export const BOOT_PHASES = ["enter-initrd", "leave-initrd", "sysinit", "ready"] as const;

/** In the order of measurement, each with the first release of the stub that measures it. `.pcrsig` never is. */
const MEASURED: readonly (readonly [name: string, since: number])[] = [
  [".linux", 252],
  [".osrel", 252],
  [".cmdline", 252],
  [".initrd", 252],
  [".ucode", 256],
  [".splash", 252],
  [".dtb", 252],
  [".uname", 254],
  [".sbat", 254],
  [".pcrpkey", 252],
];
/** Which of several profiles or device trees is measured, is decided when the machine starts. */
const CHOSEN_AT_BOOT = [".profile", ".dtbauto", ".hwids", ".efifw"];
/** 252 measures without .uname and .sbat, 254 with them. */
const OLDEST = 252;
const UNKNOWN = 253;
/** Bytes. A section's memory is a number in a header: it must not keep us hashing zeros for hours. */
const MAX_MEMORY = 2 ** 32;

/** Before any phase, and after each. Throws UNSUPPORTED when no stub of systemd is in it, or one that measures otherwise. */
export function predictPcr11(source: ByteSource, what = "UKI"): readonly Pcr11[] {
  const pe = readPe(source, what);
  const version = stubVersion(source, what);
  const chosen = CHOSEN_AT_BOOT.find((name) => findPeSection(pe, name) !== undefined);
  if (chosen !== undefined)
    throw new BootwrightError("UNSUPPORTED", `${what}: PCR 11 depends on the machine, as there is a section ${chosen}`);
  let value: Buffer = Buffer.alloc(32);
  const extend = (digest: Buffer) => {
    value = createHash("sha256").update(value).update(digest).digest();
  };
  for (const [name, since] of MEASURED) {
    const section = findPeSection(pe, name);
    if (section === undefined || version < since) continue;
    extend(createHash("sha256").update(`${name}\0`).digest());
    extend(memoryDigest(source, { section, what }));
  }
  const states = [{ phase: "", value: value.toString("hex") }];
  BOOT_PHASES.forEach((word, i) => {
    extend(createHash("sha256").update(word).digest());
    states.push({ phase: BOOT_PHASES.slice(0, i + 1).join(":"), value: value.toString("hex") });
  });
  return states;
}

/** The release of systemd whose stub it is. */
function stubVersion(source: ByteSource, what: string): number {
  const version = readSystemdMark(source, "stub");
  if (version !== undefined && version >= OLDEST && version !== UNKNOWN) return version;
  const found = version === undefined ? "without a stub of systemd" : `with a stub of systemd ${version}`;
  throw new BootwrightError("UNSUPPORTED", `${what}: what PCR 11 will be is not known ${found}`, {
    hint: "use a stub of systemd 252, 254 or later",
  });
}

function memoryDigest(source: ByteSource, { section, what }: { section: PeSection; what: string }): Buffer {
  if (section.virtualSize > MAX_MEMORY)
    throw new BootwrightError("LIMIT_EXCEEDED", `${what}: ${section.name} in memory`);
  const hash = createHash("sha256");
  for (const chunk of readPeSection(source, section)) hash.update(chunk);
  const zeros = Buffer.alloc(64 * 1024);
  for (let left = section.virtualSize - peContentSize(section); left > 0; left -= zeros.length)
    hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
  return hash.digest();
}
