/** EFI signature lists (UEFI 2.10 §32.4.1): the contents of PK, KEK, db and dbx. Certificates are X.509, digests SHA-256. */
import { BootwrightError } from "../base/errors.ts";
import { ByteReader, formatError } from "./byte-reader.ts";
import { guidBytes, guidText } from "./uuid.ts";

export type EfiSignature =
  /** DER. */
  | { readonly type: "x509"; readonly owner: string; readonly data: Uint8Array }
  /** Authenticode digest, 32 bytes. */
  | { readonly type: "sha256"; readonly owner: string; readonly data: Uint8Array };

const TYPES = {
  x509: "a5c059a1-94e4-4aa7-87b5-ab155c2bf072",
  sha256: "c1c41626-504c-4092-aca9-41f936934328",
} as const;

const LIST_HEADER = 28;
const OWNER = 16;
/** Bytes; firmware has far less room for a variable. */
const MAX_SIZE = 16 * 1024 * 1024;

/** One list a certificate, since each has its own size; all digests in one list. The order is kept. */
export function encodeSignatureLists(signatures: readonly EfiSignature[]): Buffer {
  const digests = signatures.filter(({ type }) => type === "sha256");
  const certificates = signatures.filter(({ type }) => type === "x509");
  return Buffer.concat([
    ...certificates.map((one) => encodeList("x509", [one])),
    ...(digests.length === 0 ? [] : [encodeList("sha256", digests)]),
  ]);
}

/** Throws FORMAT_INVALID, LIMIT_EXCEEDED, UNSUPPORTED for lists of another type. `what` names the file. */
export function parseSignatureLists(bytes: Uint8Array, what: string): readonly EfiSignature[] {
  if (bytes.length > MAX_SIZE)
    throw new BootwrightError("LIMIT_EXCEEDED", `${what}: ${bytes.length} bytes; at most ${MAX_SIZE} are read`);
  const reader = new ByteReader(bytes, { format: what });
  const found: EfiSignature[] = [];
  for (let at = 0; at < bytes.length; ) {
    const guid = guidText(reader.slice(at, 16));
    const size = reader.u32(at + 16);
    const headerSize = reader.u32(at + 20);
    const each = reader.u32(at + 24);
    const start = at + LIST_HEADER + headerSize;
    const end = at + size;
    if (size < LIST_HEADER || end > bytes.length || start > end)
      throw formatError(what, at + 16, "a list within the file");
    if (each <= OWNER || (end - start) % each !== 0)
      throw formatError(what, at + 24, "a size of signatures that divides the list");
    const type = (Object.keys(TYPES) as (keyof typeof TYPES)[]).find((name) => TYPES[name] === guid);
    if (type === undefined) throw new BootwrightError("UNSUPPORTED", `${what}: signatures of type ${guid}`);
    if (type === "sha256" && each !== OWNER + 32) throw formatError(what, at + 24, "digests of 32 bytes");
    for (let entry = start; entry < end; entry += each)
      found.push({
        type,
        owner: guidText(reader.slice(entry, OWNER)),
        data: reader.slice(entry + OWNER, each - OWNER),
      });
    at = end;
  }
  return found;
}

function encodeList(type: keyof typeof TYPES, signatures: readonly EfiSignature[]): Buffer {
  const each = OWNER + signatures[0]!.data.length;
  const head = Buffer.alloc(LIST_HEADER);
  head.set(guidBytes(TYPES[type]));
  head.writeUInt32LE(LIST_HEADER + each * signatures.length, 16);
  head.writeUInt32LE(each, 24);
  return Buffer.concat([head, ...signatures.flatMap(({ owner, data }) => [guidBytes(owner), data])]);
}
