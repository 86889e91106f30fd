/**
 * Signed archives of Alpine (apk-tools, doc/apk-v2.5): gzip members one after the other. An index is a signature and what is
 * signed; a package is a signature, a control segment and the files, of whose packed bytes the control segment has the digest.
 */
import { createVerify } from "node:crypto";
import { crc32, inflateRawSync } from "node:zlib";
import { BootwrightError } from "../base/errors.ts";
import { readTar } from "./tar-reader.ts";

export interface ApkSignature {
  /** The file name of the key that it is made with. */
  readonly key: string;
  readonly digest: "sha1" | "sha256" | "sha512";
  readonly bytes: Buffer;
}

export interface GzipMember {
  readonly content: Buffer;
  /** Bytes of the member itself. */
  readonly length: number;
}

/** A control segment is some kilobytes; an index's unpacked text some megabytes. */
const MAX_UNPACKED = 256 * 1024 * 1024;

/** One gzip member at the start of `bytes` (RFC 1952). Throws FORMAT_INVALID, also when it goes on past the end of them. */
export function readGzipMember(bytes: Buffer, what: string, maxSize = MAX_UNPACKED): GzipMember {
  const start = endOfHeader(bytes, what);
  let unpacked: { buffer: Buffer; engine: { bytesWritten: number } };
  try {
    // `info` is not in the types: it says how much of the input was taken.
    const options = { info: true, maxOutputLength: maxSize } as Parameters<typeof inflateRawSync>[1];
    unpacked = inflateRawSync(bytes.subarray(start), options) as unknown as typeof unpacked;
  } catch (error) {
    const tooLarge = error instanceof RangeError;
    throw new BootwrightError(
      tooLarge ? "LIMIT_EXCEEDED" : "FORMAT_INVALID",
      tooLarge ? `${what}: a segment unpacks to more than ${maxSize} bytes` : `${what}: damaged gzip data`,
      { cause: error },
    );
  }
  const { buffer: content, engine } = unpacked;
  const end = start + engine.bytesWritten;
  if (end + 8 > bytes.length) throw damaged(what, "cut off");
  if (bytes.readUInt32LE(end) !== crc32(content) || bytes.readUInt32LE(end + 4) !== content.length % 2 ** 32)
    throw damaged(what, "a wrong checksum");
  return { content, length: end + 8 };
}

function endOfHeader(bytes: Buffer, what: string): number {
  if (bytes.length < 18 || bytes.readUInt16BE(0) !== 0x1f8b || bytes[2] !== 8) throw damaged(what, "no gzip member");
  const flags = bytes[3]!;
  let at = 10;
  if (flags & 4) at += 2 + bytes.readUInt16LE(at);
  for (const flag of [8, 16]) {
    if ((flags & flag) === 0) continue;
    const zero = bytes.indexOf(0, at);
    if (zero < 0) throw damaged(what, "cut off");
    at = zero + 1;
  }
  if (flags & 2) at += 2;
  if (at >= bytes.length) throw damaged(what, "cut off");
  return at;
}

/** The files of a segment, small ones all of them. Segments may lack the end mark of a tar. */
export async function readSegment(content: Buffer, what: string): Promise<ReadonlyMap<string, Buffer>> {
  const files = new Map<string, Buffer>();
  const padding = Buffer.alloc(1024 + ((512 - (content.length % 512)) % 512));
  for await (const member of readTar(toAsync([content, padding]), { origin: what, duplicates: true })) {
    if (member.type !== "file") continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of member.content()) chunks.push(chunk);
    files.set(member.path, Buffer.concat(chunks));
  }
  return files;
}

const DIGESTS = { RSA: "sha1", RSA256: "sha256", RSA512: "sha512" } as const;

export function signaturesOf(files: ReadonlyMap<string, Buffer>): readonly ApkSignature[] {
  return [...files].flatMap(([name, bytes]) => {
    const [, kind, key] = /^\.SIGN\.(RSA|RSA256|RSA512)\.(.+)$/.exec(name) ?? [];
    return kind === undefined ? [] : [{ key: key!, digest: DIGESTS[kind as keyof typeof DIGESTS], bytes }];
  });
}

/** `keys`: PEM by file name. Throws SIGNATURE_INVALID unless a key of ours has made one of the signatures. */
export function verifyApkSignature(
  signed: Uint8Array,
  { signatures, keys, what }: { signatures: readonly ApkSignature[]; keys: ReadonlyMap<string, string>; what: string },
): void {
  const known = signatures.filter(({ key }) => keys.has(key));
  if (known.length === 0)
    throw new BootwrightError(
      "SIGNATURE_INVALID",
      signatures.length === 0
        ? `${what} is not signed`
        : `${what} is signed by ${signatures.map(({ key }) => key).join(", ")}, which is not among the keys`,
      { hint: `keys: ${[...keys.keys()].join(", ") || "none"} (sources.alpine.keys)` },
    );
  for (const { key, digest, bytes } of known) {
    const verify = createVerify(`RSA-${digest.toUpperCase()}`);
    verify.update(signed);
    let good = false;
    try {
      good = verify.verify(keys.get(key)!, bytes);
    } catch {} // No key at all.
    if (!good) throw new BootwrightError("SIGNATURE_INVALID", `${what}: the signature by ${key} does not verify`);
  }
}

const damaged = (what: string, why: string): BootwrightError =>
  new BootwrightError("FORMAT_INVALID", `${what}: damaged gzip data: ${why}`);

async function* toAsync(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
