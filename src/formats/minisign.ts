/**
 * minisign's public keys and signatures (https://jedisct1.github.io/minisign/, "Signature format", "Public key format"):
 * Ed25519 over the BLAKE2b-512 of a file, and over that signature with its trusted comment. Secret keys stay in PKCS #8.
 */
import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";

export interface MinisignKey {
  /** 8 bytes. */
  readonly id: Uint8Array;
  /** Ed25519, 32 bytes. */
  readonly key: Uint8Array;
}

export interface SignatureComments {
  /** One line that nothing protects. */
  readonly untrusted: string;
  /** One line that is signed with the signature. */
  readonly trusted: string;
}

const ID_SIZE = 8;
const KEY_SIZE = 32;
const SIGNATURE_SIZE = 64;
/** "Ed": of the file itself; "ED": of its BLAKE2b-512. Keys say "Ed" in either case. */
const PLAIN = "Ed";
const HASHED = "ED";
/** DER of a SubjectPublicKeyInfo up to the key's own bytes (RFC 8410 §4). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** The last line of a `.pub` file is the key; `what` names the file. Throws FORMAT_INVALID. */
export function parseMinisignKey(text: string, what: string): MinisignKey {
  const line = text.trimEnd().split("\n").at(-1)!.trim();
  const bytes = decodeBase64(line, 2 + ID_SIZE + KEY_SIZE);
  if (bytes === undefined || bytes.toString("latin1", 0, 2) !== PLAIN)
    throw new BootwrightError("FORMAT_INVALID", `${what}: not a minisign public key (a line of base64, "RW…")`);
  return { id: bytes.subarray(2, 2 + ID_SIZE), key: bytes.subarray(2 + ID_SIZE) };
}

export const formatMinisignKey = ({ id, key }: MinisignKey): string =>
  `untrusted comment: minisign public key ${keyName(id)}\n${Buffer.concat([Buffer.from(PLAIN), id, key]).toString("base64")}\n`;

/** As minisign prints a key's number: its bytes from the last to the first, in hex. */
export const keyName = (id: Uint8Array): string => Buffer.from(id).reverse().toString("hex").toUpperCase();

/** The number is the start of the key's SHA-256, so that the same secret key always gives the same `.pub` file. */
export function minisignKeyOf(secret: KeyObject): MinisignKey {
  const key = createPublicKey(secret).export({ type: "spki", format: "der" }).subarray(SPKI_PREFIX.length);
  return { id: createHash("sha256").update(key).digest().subarray(0, ID_SIZE), key };
}

/** The text of a `.minisig` file: four lines. */
export function signMinisign(
  bytes: Uint8Array,
  { secret, untrusted, trusted }: { readonly secret: KeyObject } & SignatureComments,
): string {
  for (const comment of [untrusted, trusted])
    if (/[\r\n]/.test(comment)) throw new Error("a comment of a signature is one line");
  const { id } = minisignKeyOf(secret);
  const signature = sign(null, hashOf(bytes), secret);
  const global = sign(null, Buffer.concat([signature, Buffer.from(trusted)]), secret);
  const head = Buffer.concat([Buffer.from(HASHED), id, signature]).toString("base64");
  return `untrusted comment: ${untrusted}\n${head}\ntrusted comment: ${trusted}\n${global.toString("base64")}\n`;
}

/**
 * The trusted comment, when one of `keys` has signed `bytes`. Throws FORMAT_INVALID when `text` is no signature,
 * SIGNATURE_INVALID when it is not one of these bytes by one of these keys.
 */
export function verifyMinisign(
  bytes: Uint8Array,
  { text, keys, what }: { readonly text: string; readonly keys: readonly MinisignKey[]; readonly what: string },
): string {
  const { id, algorithm, signature, trusted, global } = parseSignature(text, what);
  const key = keys.find((one) => Buffer.from(one.id).equals(id));
  if (key === undefined)
    throw new BootwrightError(
      "SIGNATURE_INVALID",
      `${what}: signed with key ${keyName(id)}; trusted: ${keys.map((one) => keyName(one.id)).join(", ") || "none"}`,
    );
  const open = publicKey(key);
  if (!verify(null, algorithm === HASHED ? hashOf(bytes) : bytes, open, signature))
    throw new BootwrightError(
      "SIGNATURE_INVALID",
      `${what}: the signature of key ${keyName(id)} is not of these bytes`,
    );
  if (!verify(null, Buffer.concat([signature, Buffer.from(trusted)]), open, global))
    throw new BootwrightError("SIGNATURE_INVALID", `${what}: the trusted comment of key ${keyName(id)} was changed`);
  return trusted;
}

function parseSignature(text: string, what: string) {
  const invalid = new BootwrightError("FORMAT_INVALID", `${what}: not a minisign signature (four lines)`);
  const lines = text.replace(/\n$/, "").split("\n");
  const [untrusted, head, comment, global] = lines;
  if (lines.length !== 4 || !untrusted!.startsWith("untrusted comment: ") || !comment!.startsWith("trusted comment: "))
    throw invalid;
  const bytes = decodeBase64(head!, 2 + ID_SIZE + SIGNATURE_SIZE);
  const globalBytes = decodeBase64(global!, SIGNATURE_SIZE);
  const algorithm = bytes?.toString("latin1", 0, 2);
  if (bytes === undefined || globalBytes === undefined || (algorithm !== PLAIN && algorithm !== HASHED)) throw invalid;
  return {
    algorithm,
    id: bytes.subarray(2, 2 + ID_SIZE),
    signature: bytes.subarray(2 + ID_SIZE),
    trusted: comment!.slice("trusted comment: ".length).replace(/\r$/, ""),
    global: globalBytes,
  };
}

const hashOf = (bytes: Uint8Array): Buffer => createHash("blake2b512").update(bytes).digest();

const publicKey = ({ key }: MinisignKey): KeyObject =>
  createPublicKey({ key: Buffer.concat([SPKI_PREFIX, key]), format: "der", type: "spki" });

/** Node's decoder skips what is no base64: only text that encodes back to itself counts. */
function decodeBase64(text: string, size: number): Buffer | undefined {
  const line = text.replace(/\r$/, "");
  const bytes = Buffer.from(line, "base64");
  return bytes.length === size && bytes.toString("base64") === line ? bytes : undefined;
}
