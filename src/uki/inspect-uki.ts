/** What a UKI (or any EFI program) is made of, for `inspect` and `diff`. */
import { type Digest, DigestCounter } from "../base/digest.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { PE_MACHINES, peContentSize, readPe, readPeSection, readPeText } from "../formats/pe.ts";

export interface UkiSection {
  readonly name: string;
  /** Digest of the content; padding is not part of it, except behind `.linux`, whose end only the kernel knows. */
  readonly digest: Digest;
  /** Sections that are text by definition, when small enough to show. */
  readonly text?: string;
  /** Address and size in memory, offset in the file; bytes. */
  readonly address: number;
  readonly virtualSize: number;
  readonly offset: number;
}

export interface UkiInspection {
  /** "amd64", "arm64", … */
  readonly machine: string;
  readonly signed: boolean;
  readonly sections: readonly UkiSection[];
}

const TEXT = new Set([".osrel", ".cmdline", ".uname", ".sbat", ".sdmagic"]);
const SHOWN = 64 * 1024;

/** Throws FORMAT_INVALID when the file is no PE file or is damaged. */
export function inspectUki(source: ByteSource): UkiInspection {
  const pe = readPe(source, "UKI");
  return {
    machine: PE_MACHINES[pe.machine] ?? `0x${pe.machine.toString(16)}`,
    signed: (pe.directories[4]?.size ?? 0) > 0,
    sections: pe.sections.map((section) => {
      const counter = new DigestCounter();
      for (const chunk of readPeSection(source, section)) counter.update(chunk);
      return {
        name: section.name,
        digest: counter.digest(),
        ...(TEXT.has(section.name) && peContentSize(section) <= SHOWN ? { text: readPeText(source, section) } : {}),
        address: section.virtualAddress,
        virtualSize: section.virtualSize,
        offset: section.rawOffset,
      };
    }),
  };
}
