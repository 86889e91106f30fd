/**
 * Signed envelopes (secure-systems-lab DSSE 1.0): a payload with its type, and signatures over both. What cosign, in-toto and
 * SLSA put statements into.
 */
import { createHash, type KeyObject, verify } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import { canonicalJson } from "../base/json.ts";
import { JsonFields } from "./oci-json.ts";

/** Bytes of an envelope that is read: the bill of a whole distribution fits. */
export const MAX_ENVELOPE = 64 * 1024 * 1024;
const MAX_SIGNATURES = 64;

export interface Envelope {
  readonly payloadType: string;
  readonly payload: Buffer;
  readonly signatures: readonly EnvelopeSignature[];
}

export interface EnvelopeSignature {
  /** A hint, which nothing protects. */
  readonly keyId: string;
  readonly signature: Buffer;
}

/** What signs: SHA-256 with the scheme of its key. */
export interface PayloadSigner {
  readonly publicKey: KeyObject;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

/** One line of JSON. */
export async function signEnvelope(
  payload: Uint8Array,
  { payloadType, signer }: { readonly payloadType: string; readonly signer: PayloadSigner },
): Promise<string> {
  const signature = Buffer.from(await signer.sign(preAuthentication(payloadType, payload)));
  return canonicalJson({
    payloadType,
    payload: Buffer.from(payload).toString("base64"),
    signatures: [{ keyid: keyId(signer.publicKey), sig: signature.toString("base64") }],
  });
}

/** Throws FORMAT_INVALID, LIMIT_EXCEEDED. */
export function parseEnvelope(bytes: Uint8Array, what: string): Envelope {
  if (bytes.length > MAX_ENVELOPE)
    throw new BootwrightError("LIMIT_EXCEEDED", `${what}: an envelope of more than ${MAX_ENVELOPE} bytes`);
  const fields = JsonFields.parse(bytes, what);
  return {
    payloadType: fields.text("payloadType"),
    payload: decodeBase64(fields.text("payload"), `${what}: payload`),
    signatures: fields.list(
      "signatures",
      (item, where) => {
        const one = JsonFields.of(item, where);
        return { keyId: one.optionalText("keyid") ?? "", signature: decodeBase64(one.text("sig"), where) };
      },
      MAX_SIGNATURES,
    ),
  };
}

/** The keys that have signed it. */
export function signersOf<K extends { readonly publicKey: KeyObject }>(
  { payloadType, payload, signatures }: Envelope,
  keys: readonly K[],
): readonly K[] {
  const signed = preAuthentication(payloadType, payload);
  return keys.filter(({ publicKey }) =>
    signatures.some(({ signature }) => verifyBytes(signed, { publicKey, signature })),
  );
}

/** SHA-256 with whatever scheme the key has; Ed25519 signs the bytes themselves. */
export function verifyBytes(
  bytes: Uint8Array,
  { publicKey, signature }: { readonly publicKey: KeyObject; readonly signature: Uint8Array },
): boolean {
  return verify(publicKey.asymmetricKeyType === "ed25519" ? null : "sha256", bytes, publicKey, signature);
}

/** SHA-256 of the public key's SubjectPublicKeyInfo. */
export const keyId = (publicKey: KeyObject): string =>
  createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex");

/** The bytes that are signed: lengths stand before the parts, so that nothing can be read as another payload. */
function preAuthentication(type: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** DSSE allows both alphabets. */
function decodeBase64(text: string, what: string): Buffer {
  if (/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) return Buffer.from(text, "base64");
  throw new BootwrightError("FORMAT_INVALID", `${what}: expected base64`);
}

/** Envelopes in a file that are looked at. */
const MAX_LINES = 256;

/** Envelopes of one file, a line each. */
export function splitLines(bytes: Buffer): readonly Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at < bytes.length && lines.length < MAX_LINES; ) {
    const next = bytes.indexOf(0x0a, at);
    const end = next === -1 ? bytes.length : next;
    if (end > at) lines.push(bytes.subarray(at, end));
    at = end + 1;
  }
  return lines;
}
