/**
 * Authenticode for EFI programs (Microsoft, "Windows Authenticode Portable Executable Signature Format"; UEFI 2.10 §32.4):
 * the digest of a PE file without the fields that signing changes, signatures over it, and their table at the file's end.
 *
 * Firmware hashes headers, sections and what follows by counting their sizes. Where sections overlap or leave gaps, it
 * would hash other bytes than it loads: such files are refused, by whoever signs and by whoever verifies.
 */
import { createHash } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import { ByteReader, formatError } from "./byte-reader.ts";
import { type ByteSource, readChunks, readExactly } from "./byte-source.ts";
import { DER, derContext, derElement, derOctets, derOid, derSequence } from "./der.ts";
import { derOidText, membersOf, readDer, readFirstDer } from "./der-reader.ts";
import { PE_DIRECTORY_SECURITY, type PeFile, readPe } from "./pe.ts";
import { SHA256_IDENTIFIER, type Signer, signContent } from "./pkcs7.ts";
import { parseSignedData, verifySignedData } from "./pkcs7-reader.ts";
import { type Certificate, OID } from "./x509.ts";

const SPC_INDIRECT_DATA = "1.3.6.1.4.1.311.2.1.4";
const SPC_PE_IMAGE_DATA = "1.3.6.1.4.1.311.2.1.15";
/** Bytes that are read at once. A fresh buffer for each waits for the garbage collector. */
const CHUNK = 512 * 1024;
/** WIN_CERTIFICATE: length, revision 2.0, type PKCS #7 (UEFI 2.10 §32.2.4). */
const CERTIFICATE_HEADER = 8;
const REVISION_2 = 0x0200;
const TYPE_PKCS7 = 0x0002;
/** The table and each entry in it start at multiples of 8. */
const ALIGNMENT = 8;
/** Bytes. */
const MAX_TABLE = 1024 * 1024;

/** Where the bytes are that are hashed, and those that are not. */
interface Layout {
  readonly pe: PeFile;
  readonly checksumAt: number;
  /** Of the data directory's entry for the certificate table. */
  readonly entryAt: number;
  /** End of what is signed: the table starts here, or the file ends. */
  readonly end: number;
  readonly signed: boolean;
}

/** Hex SHA-256 as firmware computes it; of an unsigned file with the zeros that a signature will put behind it. */
export function authenticodeDigest(source: ByteSource, name = "EFI program"): string {
  const layout = readLayout(source, name);
  const hash = createHash("sha256");
  const parts: readonly (readonly [number, number])[] = [
    [0, layout.checksumAt],
    [layout.checksumAt + 4, layout.entryAt],
    [layout.entryAt + 8, layout.end],
  ];
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  for (const [from, to] of parts)
    for (const chunk of readChunks(source, { offset: from, length: to - from, format: name, buffer }))
      hash.update(chunk);
  if (!layout.signed) hash.update(Buffer.alloc(padding(layout.end)));
  return hash.digest("hex");
}

/** The signature over a digest: PKCS #7, DER. */
export function signDigest(signer: Signer, digest: string): Promise<Buffer> {
  return signContent(signer, { type: SPC_INDIRECT_DATA, der: indirectData(digest) });
}

/** The digest that a signature is of, hex. Throws FORMAT_INVALID, UNSUPPORTED. */
export function signedDigest(signature: Uint8Array, what: string): string {
  const { content } = parseSignedData(signature, what);
  if (content?.type !== SPC_INDIRECT_DATA)
    throw new BootwrightError("FORMAT_INVALID", `${what}: no Authenticode signature`);
  const members = membersOf(readDer(content.der, what), what);
  members.next(DER.sequence);
  const digest = membersOf(members.next(DER.sequence), what);
  members.end();
  const algorithm = derOidText(membersOf(digest.next(DER.sequence), what).next(DER.oid), what);
  if (algorithm !== OID.sha256) throw new BootwrightError("UNSUPPORTED", `${what}: a digest of type ${algorithm}`);
  return Buffer.from(digest.next(DER.octetString).content).toString("hex");
}

/** The file with signatures added behind those that it has, in chunks; each is good until the next is asked for. */
export function* attachSignatures(
  source: ByteSource,
  { signatures, name = "EFI program" }: { readonly signatures: readonly Uint8Array[]; readonly name?: string },
): Generator<Uint8Array> {
  const layout = readLayout(source, name);
  const table = Buffer.concat([...readTable(source, layout, name).map(encodeEntry), ...signatures.map(encodeEntry)]);
  const start = layout.end + (layout.signed ? 0 : padding(layout.end));
  yield* withTable(source, { layout, name, table: { start, size: table.length } });
  yield Buffer.alloc(start - layout.end);
  yield table;
}

/** The file without any signature, up to the zeros that signing put behind it; chunks as above. */
export function* removeSignatures(source: ByteSource, name = "EFI program"): Generator<Uint8Array> {
  yield* withTable(source, { layout: readLayout(source, name), name, table: { start: 0, size: 0 } });
}

/** The signatures that a file carries: PKCS #7, DER. Throws FORMAT_INVALID. */
export const readSignatures = (source: ByteSource, name = "EFI program"): readonly Uint8Array[] =>
  readTable(source, readLayout(source, name), name);

/** The trusted certificate that has signed the file. Throws SIGNATURE_INVALID that says why none has. */
export function verifyAuthenticode(
  source: ByteSource,
  { trusted, name = "EFI program" }: { readonly trusted: readonly Certificate[]; readonly name?: string },
): Certificate {
  const signatures = readSignatures(source, name);
  if (signatures.length === 0) throw new BootwrightError("SIGNATURE_INVALID", `${name} is not signed`);
  const digest = authenticodeDigest(source, name);
  const reasons: string[] = [];
  for (const signature of signatures) {
    const signed = signedDigest(signature, name);
    if (signed !== digest) {
      reasons.push(`${name}: the signature is of sha256:${signed}, the file is sha256:${digest}`);
      continue;
    }
    const data = parseSignedData(signature, name);
    try {
      return verifySignedData(data, { bytes: readDer(data.content!.der, name).content, trusted, what: name });
    } catch (error) {
      if (!(error instanceof BootwrightError) || error.code !== "SIGNATURE_INVALID") throw error;
      reasons.push(error.message);
    }
  }
  throw new BootwrightError("SIGNATURE_INVALID", reasons.join("; "));
}

function readLayout(source: ByteSource, name: string): Layout {
  const pe = readPe(source, name);
  const entryAt = pe.optionalOffset + (pe.pe32Plus ? 112 : 96) + PE_DIRECTORY_SECURITY * 8;
  const entry = pe.directories[PE_DIRECTORY_SECURITY];
  if (entry === undefined) throw formatError(name, entryAt, "room for a certificate table in the data directories");
  const { address, size } = entry;
  if (entryAt + 8 > pe.sizeOfHeaders || pe.sizeOfHeaders > source.size)
    throw formatError(name, pe.optionalOffset + 60, "headers within the file");
  const end = endOfSections(pe, name);
  const signed = size > 0;
  if (signed && (address % ALIGNMENT !== 0 || address < end || address + size !== source.size))
    throw formatError(name, entryAt, "a certificate table behind the sections, up to the end of the file");
  return { pe, checksumAt: pe.optionalOffset + 64, entryAt, end: signed ? address : source.size, signed };
}

/** Headers and sections must follow each other without gap or overlap. */
function endOfSections(pe: PeFile, name: string): number {
  const filled = pe.sections.filter(({ rawSize }) => rawSize > 0).sort((a, b) => a.rawOffset - b.rawOffset);
  let end = pe.sizeOfHeaders;
  for (const { name: section, rawOffset, rawSize, headerOffset } of filled) {
    if (rawOffset !== end)
      throw formatError(
        name,
        headerOffset,
        `section ${section} right behind what precedes it, at ${end}, not ${rawOffset}`,
      );
    end += rawSize;
  }
  return end;
}

/** Everything up to the table, with the table's place in the headers. No checksum: each signature would give another. */
function* withTable(
  source: ByteSource,
  { layout, name, table }: { layout: Layout; name: string; table: { start: number; size: number } },
): Generator<Uint8Array> {
  const head = Buffer.from(readExactly(source, { offset: 0, length: layout.pe.sizeOfHeaders, format: name }));
  head.writeUInt32LE(0, layout.checksumAt);
  head.writeUInt32LE(table.start, layout.entryAt);
  head.writeUInt32LE(table.size, layout.entryAt + 4);
  yield head;
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  yield* readChunks(source, { offset: head.length, length: layout.end - head.length, format: name, buffer });
}

function readTable(source: ByteSource, layout: Layout, name: string): readonly Uint8Array[] {
  if (!layout.signed) return [];
  const length = source.size - layout.end;
  if (length > MAX_TABLE)
    throw new BootwrightError("LIMIT_EXCEEDED", `${name}: a certificate table of ${length} bytes`);
  const table = new ByteReader(readExactly(source, { offset: layout.end, length, format: name }), { format: name });
  const found: Uint8Array[] = [];
  for (let at = 0; at < table.length; ) {
    const size = table.u32(at);
    if (size <= CERTIFICATE_HEADER || at + size > table.length)
      throw formatError(name, layout.end + at, "a certificate within its table");
    if (table.u16(at + 4) !== REVISION_2 || table.u16(at + 6) !== TYPE_PKCS7)
      throw new BootwrightError("UNSUPPORTED", `${name}: a certificate that is no PKCS #7 signature`);
    found.push(withoutPadding(table.slice(at + CERTIFICATE_HEADER, size - CERTIFICATE_HEADER), name));
    at += size + padding(size);
  }
  return found;
}

/** Some tools count the padding as part of the signature. It must be zeros: anything else would hide there unsigned. */
function withoutPadding(bytes: Uint8Array, name: string): Uint8Array {
  const { raw } = readFirstDer(bytes, { at: 0, what: name });
  const rest = bytes.subarray(raw.length);
  if (rest.length >= ALIGNMENT || rest.some((byte) => byte !== 0))
    throw new BootwrightError("FORMAT_INVALID", `${name}: something else in the certificate table`);
  return raw;
}

function encodeEntry(signature: Uint8Array): Buffer {
  const size = CERTIFICATE_HEADER + signature.length;
  const entry = Buffer.alloc(size + padding(size));
  entry.writeUInt32LE(size, 0);
  entry.writeUInt16LE(REVISION_2, 4);
  entry.writeUInt16LE(TYPE_PKCS7, 6);
  entry.set(signature, CERTIFICATE_HEADER);
  return entry;
}

const padding = (size: number): number => (ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT;

/** SpcIndirectDataContent: "a PE file with this digest". The text is the format's own placeholder. */
function indirectData(digest: string): Buffer {
  const placeholder = Buffer.from("<<<Obsolete>>>", "utf16le").swap16();
  const link = derContext(0, derContext(2, derElement(0x80, placeholder)));
  const image = derSequence(derElement(DER.bitString, Buffer.from([0])), link);
  return derSequence(
    derSequence(derOid(SPC_PE_IMAGE_DATA), image),
    derSequence(SHA256_IDENTIFIER, derOctets(Buffer.from(digest, "hex"))),
  );
}
