/**
 * The ELF file inside an x86 bzImage, for monitors that take no other form (Documentation/arch/x86/boot.rst, payload_offset
 * and payload_length). Debug information is not in there; what boots is.
 */
import { BootwrightError } from "../base/errors.ts";
import { type ByteSource, readExactly } from "./byte-source.ts";
import { decompress, detectCompression } from "./decompress.ts";
import { decodeLz4Legacy, isLz4Legacy } from "./lz4-legacy.ts";

const SECTOR = 512;
const HEADER_END = 0x250;
const FORMAT = "Linux kernel image";
/** A distribution's kernel unpacks to about 60 MB. */
const MAX_SIZE = 1024 ** 3;
/** What is packed with xz, zstd and lz4 is followed by the unpacked size, which gzip has itself. */
const SIZE_SUFFIX = 4;

/** `xz`: still packed, and to be unpacked by the program xz: the kernel uses a filter that the decoder here does not know. */
export interface KernelPayload {
  readonly format: "elf" | "xz";
  readonly bytes: Uint8Array;
}

/** Throws FORMAT_INVALID for what is no bzImage, UNSUPPORTED when its payload is packed in a way that is not known here. */
export async function readKernelPayload(kernel: ByteSource): Promise<KernelPayload> {
  const head = Buffer.from(readExactly(kernel, { offset: 0, length: HEADER_END, format: FORMAT }));
  if (head.toString("latin1", 0x202, 0x206) !== "HdrS" || head.readUInt16LE(0x206) < 0x0208)
    throw new BootwrightError("FORMAT_INVALID", `${FORMAT}: no x86 bzImage that says where its payload lies`);
  const start = (head[0x1f1]! + 1) * SECTOR + head.readUInt32LE(0x248);
  const length = head.readUInt32LE(0x24c);
  const payload = readExactly(kernel, { offset: start, length, format: FORMAT });
  if (detectCompression(payload) === "xz") return { format: "xz", bytes: payload.subarray(0, -SIZE_SUFFIX) };
  const bytes = await unpacked(payload);
  if (!isElf(bytes)) throw new BootwrightError("FORMAT_INVALID", `${FORMAT}: its payload is no ELF file`);
  return { format: "elf", bytes };
}

async function unpacked(payload: Uint8Array): Promise<Buffer> {
  const withoutSize = payload.subarray(0, -SIZE_SUFFIX);
  if (isLz4Legacy(payload)) return Buffer.concat([...decodeLz4Legacy(withoutSize, FORMAT)]);
  const compression = detectCompression(payload);
  if (compression === "none" && !isElf(payload))
    throw new BootwrightError("UNSUPPORTED", `${FORMAT}: packed with something other than gzip, xz, zstd or lz4`, {
      hint: "build the kernel with CONFIG_KERNEL_ZSTD, or with another of these",
    });
  const packed = compression === "gzip" || compression === "none" ? payload : withoutSize;
  const chunks: Uint8Array[] = [];
  for await (const chunk of decompress([packed], { what: FORMAT, maxSize: MAX_SIZE })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const isElf = (bytes: Uint8Array): boolean => Buffer.from(bytes.subarray(0, 4)).toString("latin1") === "\x7fELF";
