/**
 * Reads what a Linux kernel image says about itself: the setup header of an x86 bzImage (Documentation/arch/x86/boot.rst)
 * or the header of an arm64 Image (Documentation/arch/arm64/booting.rst).
 */
import { BootwrightError } from "../base/errors.ts";
import { ByteReader } from "./byte-reader.ts";
import { type ByteSource, sourceOfBytes } from "./byte-source.ts";
import { isPe } from "./pe.ts";

export interface LinuxImage {
  readonly architecture: "amd64" | "arm64";
  /** "6.1.0-56-cloud-amd64", as `uname -r` prints it; arm64 images do not carry it in their header. */
  readonly release?: string;
  /** The whole version line ("6.1.0-56-cloud-amd64 (builder@host) #1 SMP …"); x86 only. */
  readonly version?: string;
  /** x86 boot protocol, 0x020f for 2.15. */
  readonly protocol?: number;
  /** x86 only: a 64-bit entry point exists; the image can lie above 4 GiB. */
  readonly xloadflags?: number;
  /** True when firmware can start the image itself (CONFIG_EFI_STUB). */
  readonly efiStub: boolean;
  /** x86 only: the longest command line that the kernel takes, in bytes without the NUL. */
  readonly cmdlineSize?: number;
}

const WINDOW = 64 * 1024;

/** Throws FORMAT_INVALID when the file is no kernel image, UNSUPPORTED when it is one of another form (gzip, ELF). */
export function readLinuxImage(image: ByteSource | Uint8Array): LinuxImage {
  const source = image instanceof Uint8Array ? sourceOfBytes(image) : image;
  const head = new ByteReader(source.read(0, Math.min(WINDOW, source.size)), { format: "Linux kernel image" });
  if (head.length >= 64 && head.u32(0x38) === 0x644d_5241) return { architecture: "arm64", efiStub: isPe(source) };
  if (head.length >= 0x264 && head.u32(0x202) === 0x5372_6448) return readSetupHeader(head, source);
  if (head.length >= 4 && head.u8(0) === 0x1f && head.u8(1) === 0x8b)
    throw new BootwrightError(
      "UNSUPPORTED",
      "the kernel image is gzip-compressed; a bzImage (x86) or an Image (arm64) is needed",
      {
        hint: "unpack it with gunzip",
      },
    );
  if (head.length >= 4 && head.u32(0) === 0x464c_457f)
    throw new BootwrightError(
      "UNSUPPORTED",
      "the kernel image is an ELF file (vmlinux); a bzImage (x86) or an Image (arm64) is needed",
    );
  throw head.error(0x202, 'the magic "HdrS" of an x86 bzImage, or at 0x38 the "ARM\\x64" of an arm64 Image');
}

function readSetupHeader(head: ByteReader, source: ByteSource): LinuxImage {
  const protocol = head.u16(0x206);
  if (protocol < 0x0206)
    throw new BootwrightError(
      "UNSUPPORTED",
      `the kernel speaks boot protocol 0x${protocol.toString(16)}; 2.06 is the least`,
    );
  const pointer = head.u16(0x20e);
  const version = pointer === 0 ? undefined : head.cString(pointer + 0x200, 1024);
  return {
    architecture: "amd64",
    ...(version === undefined ? {} : { version, release: version.split(" ")[0]! }),
    protocol,
    ...(protocol >= 0x020c ? { xloadflags: head.u16(0x236) } : {}),
    efiStub: isPe(source),
    cmdlineSize: head.u32(0x238),
  };
}
