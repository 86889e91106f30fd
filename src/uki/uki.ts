/**
 * One EFI file from kernel, initrd and command line (UAPI group's specification "Unified Kernel Image"): sections behind
 * systemd's stub. The kernel comes last and with the memory size that its own header asks for, so that newer stubs can
 * start it in place.
 */
import { BootwrightError } from "../base/errors.ts";
import { type ByteSource, sourceOfBytes } from "../formats/byte-source.ts";
import type { FileContent } from "../formats/filetree.ts";
import { isPe, PE_MACHINES, readPe } from "../formats/pe.ts";
import { type AppendedPe, appendPeSections, type NewSection, PE_CODE, PE_DATA } from "../formats/pe-writer.ts";
import { mergeSbat, SBAT_UKI } from "./sbat.ts";

/** In the order in which they are written. */
export const UKI_SECTIONS = [
  ".osrel",
  ".cmdline",
  ".uname",
  ".dtb",
  ".splash",
  ".pcrpkey",
  ".ucode",
  ".initrd",
  ".sbat",
  ".linux",
] as const;

export type UkiSectionName = (typeof UKI_SECTIONS)[number];

/** Text, bytes, or a stream of known size (a big initrd). */
export type UkiContent = string | Uint8Array | UkiStream;

export interface UkiStream {
  /** Bytes. */
  readonly size: number;
  readonly read: () => Iterable<Uint8Array>;
  /** Where the store has it. */
  readonly content?: FileContent;
}

export interface UkiOptions {
  /** systemd's `linuxx64.efi.stub`. */
  readonly stub: ByteSource | Uint8Array;
  /** Random access, because its headers are read before the file is laid out. */
  readonly linux: ByteSource | Uint8Array;
  /** Where the store has the kernel. */
  readonly linuxContent?: FileContent;
  /** `.sbat` lines are merged with the stub's and the kernel's. Empty contents are left out. */
  readonly sections: Readonly<Partial<Record<Exclude<UkiSectionName, ".linux">, UkiContent>>>;
}

/**
 * The UKI's size is known at once; `chunks()` streams its bytes, any number of times. Throws UNSUPPORTED when stub and
 * kernel are of different machines, FORMAT_INVALID when one is damaged, LIMIT_EXCEEDED over 4 GiB.
 */
export function assembleUki(options: UkiOptions): AppendedPe {
  const stub = toSource(options.stub);
  const linux = toSource(options.linux);
  const machine = readPe(stub, "EFI stub").machine;
  const kernel = isPe(linux) ? readPe(linux, "kernel") : undefined;
  if (kernel !== undefined && kernel.machine !== machine)
    throw new BootwrightError(
      "UNSUPPORTED",
      `the EFI stub is for ${machineName(machine)}, the kernel for ${machineName(kernel.machine)}`,
    );
  const sections: NewSection[] = [];
  for (const name of UKI_SECTIONS) {
    if (name === ".linux") {
      sections.push({
        name,
        size: linux.size,
        ...(kernel === undefined ? {} : { virtualSize: kernel.sizeOfImage }),
        characteristics: PE_CODE,
        read: () => readAll(linux),
        ...(options.linuxContent && { content: options.linuxContent }),
      });
      continue;
    }
    const given = options.sections[name];
    const content =
      name === ".sbat" ? mergeSbat([stub, linux], given === undefined ? SBAT_UKI : contentText(given)) : given;
    const section = content === undefined ? undefined : toSection(name, content);
    if (section !== undefined) sections.push(section);
  }
  // The stub's own .sbat has no room to grow in place: its merged successor is among the new sections.
  return appendPeSections(stub, { sections, drop: [".sbat"] });
}

function contentText(content: UkiContent): string {
  if (typeof content === "string") return content;
  if (content instanceof Uint8Array) return Buffer.from(content).toString("utf8");
  return Buffer.concat([...content.read()]).toString("utf8");
}

function toSection(name: UkiSectionName, content: UkiContent): NewSection | undefined {
  if (typeof content === "string" || content instanceof Uint8Array) {
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    return bytes.length === 0 ? undefined : { name, size: bytes.length, characteristics: PE_DATA, read: () => [bytes] };
  }
  return content.size === 0 ? undefined : { name, characteristics: PE_DATA, ...content };
}

function* readAll(source: ByteSource): Generator<Uint8Array> {
  const step = 1024 * 1024;
  for (let at = 0; at < source.size; at += step) yield source.read(at, Math.min(step, source.size - at));
}

const toSource = (file: ByteSource | Uint8Array): ByteSource =>
  file instanceof Uint8Array ? sourceOfBytes(file) : file;

const machineName = (machine: number): string => PE_MACHINES[machine] ?? `machine 0x${machine.toString(16)}`;
