/**
 * What a UKI opens by a root hash: told by its command line (`dm-mod.create=`, kernel
 * Documentation/admin-guide/device-mapper/dm-init.rst), or by a table in its initramfs, which lies in the signed file.
 */
import { BootwrightError } from "../base/errors.ts";
import { type ByteSource, readChunks } from "../formats/byte-source.ts";
import { ByteStream } from "../formats/byte-stream.ts";
import { decompress, detectCompression } from "../formats/decompress.ts";
import { findInNewc } from "../formats/newc-search.ts";
import { VERITY_BLOCK } from "../formats/verity.ts";

export interface VerityDemand {
  /** What it is called below /dev/mapper. */
  readonly name: string;
  /** "PARTLABEL=host-{slot}", "PARTUUID=…", "/dev/vda2". */
  readonly device: string;
  /** Hex. */
  readonly rootHash: string;
  /** Where the tree lies, as `device`; undefined: behind the data. */
  readonly hashes: string | undefined;
  /** Bytes from the start of the device with the tree to its superblock. */
  readonly hashOffset: number;
  /** Hex; undefined: what the superblock says counts, as the root hash covers it. */
  readonly salt: string | undefined;
  /** As for `salt`. */
  readonly dataBlocks: number | undefined;
}

const TABLE = "etc/bootwright/verity";
/** Bytes: a line an image. */
const MAX_TABLE = 64 * 1024;
/** Bytes of an unpacked initramfs; it is read as a stream. */
const MAX_UNPACKED = 8 * 1024 ** 3;
const ROOT_HASH = /^[0-9a-f]{64}$/;

/** Throws FORMAT_INVALID for a table that is none. */
export function parseVerityTable(text: string, what: string): readonly VerityDemand[] {
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line) => {
    const [name = "", device = "", offset = "", rootHash = "", mount, hashes] = line.split(" ");
    const hashOffset = Number(offset);
    if (mount === undefined || !ROOT_HASH.test(rootHash) || !Number.isSafeInteger(hashOffset))
      throw new BootwrightError(
        "FORMAT_INVALID",
        `${what}: ${TABLE}: a line that names no image: ${line.slice(0, 100)}`,
      );
    return { name, device, hashes, rootHash, hashOffset, salt: undefined, dataBlocks: undefined };
  });
}

/** NAME,UUID,MINOR,FLAGS,TABLE of each device; those of other targets than verity do not matter here. */
export function parseVerityCmdline(cmdline: string, what: string): readonly VerityDemand[] {
  const [, quoted, bare] = /(?:^|\s)dm-mod\.create=(?:"([^"]*)"|(\S+))/.exec(cmdline) ?? [];
  const text = quoted ?? bare;
  if (text === undefined) return [];
  return text.split(";").flatMap((device) => {
    const [name = "", , , , ...tables] = device.split(",");
    return tables.flatMap((table) => {
      const words = table.trim().split(/\s+/);
      if (words[2] !== "verity") return [];
      const [
        ,
        ,
        ,
        ,
        data = "",
        hashDevice,
        blockSize,
        hashBlockSize,
        dataBlocks,
        hashStart,
        algorithm,
        rootHash = "",
        salt = "",
      ] = words;
      const start = Number(hashStart);
      if (`${blockSize} ${hashBlockSize} ${algorithm}` !== `${VERITY_BLOCK} ${VERITY_BLOCK} sha256`)
        throw new BootwrightError("UNSUPPORTED", `${what}: dm-verity with ${blockSize} ${hashBlockSize} ${algorithm}`);
      if (!ROOT_HASH.test(rootHash) || !(start > 0) || !Number.isSafeInteger(start * VERITY_BLOCK))
        throw new BootwrightError("FORMAT_INVALID", `${what}: dm-mod.create= names no root hash`);
      const hashes = hashDevice === data ? undefined : hashDevice;
      if (hashes === undefined && Number(dataBlocks) > start - 1)
        throw new BootwrightError("UNSUPPORTED", `${what}: dm-verity with its tree before the end of the data`);
      // The kernel is told where the tree starts; its superblock is the block before it.
      const told = { dataBlocks: Number(dataBlocks), salt: salt === "-" ? "" : salt };
      return { name, device: data, hashes, rootHash, hashOffset: (start - 1) * VERITY_BLOCK, ...told };
    });
  });
}

/** The table in an initramfs: segments of newc, then perhaps a compressed one, as the kernel takes them. */
export async function readInitramfsTable(initrd: ByteSource, what: string): Promise<string | undefined> {
  const stream = new ByteStream(readChunks(initrd, { offset: 0, length: initrd.size, format: what }), what);
  const options = { path: TABLE, maxSize: MAX_TABLE, what };
  const plain = await findInNewc(stream, options);
  const at = stream.position - plain.rest.length;
  if (at >= initrd.size) return plain.content;
  if (detectCompression(plain.rest) === "none")
    throw new BootwrightError("UNSUPPORTED", `${what}: an initramfs of a kind that is not read (gzip, zstd, xz are)`);
  const packed = readChunks(initrd, { offset: at, length: initrd.size - at, format: what });
  const unpacked = new ByteStream(decompress(packed, { what, maxSize: MAX_UNPACKED, padded: true }), what);
  const found = await findInNewc(unpacked, options);
  if (found.rest.length > 0) throw new BootwrightError("UNSUPPORTED", `${what}: something behind the archive`);
  // What comes later replaces what was there.
  return found.content ?? plain.content;
}
