/**
 * A signature that is wanted: what is to be signed, by which key, and what it is for. Signing stages put it out as JSON; a
 * signing request is a list of them; the signature comes back under `signatureName`.
 */
import { createHash } from "node:crypto";
import { BootwrightError, messageOf } from "../base/errors.ts";

const KINDS = ["authenticode", "detached", "tpm-policy", "module"] as const;
export type SignatureKind = (typeof KINDS)[number];

export interface WantedSignature {
  /**
   * How the digest is signed: as a PE file's (Authenticode), as detached PKCS #7 over the root hash in `content`, bare, where
   * `content` is the digest of a TPM policy, or as a kernel module's. Each of the latter has a form that cannot be taken for
   * anything else (64 hex digits, 32 bytes, an ELF file): else whoever writes a request could have the inside of another
   * signature signed, an Authenticode one above all.
   */
  readonly kind: SignatureKind;
  /** SHA-256, hex: of the PE file as firmware computes it, or of the content. */
  readonly digest: string;
  /** Of the latter three: base64 of what is signed. A module is no part of the request's text, but a file beside it. */
  readonly content?: string;
  /** The key's name in the config. */
  readonly key: string;
  /** SHA-256 of the key's certificate, hex. */
  readonly certificate: string;
  /** For whoever signs: "uki host". */
  readonly what: string;
  /** Further facts for whoever signs, by name: command line, kernel release. */
  readonly facts: Readonly<Record<string, string>>;
}

/** A file name that says what is signed and by whom: `signatures/9f2c…-41ab….p7s`, or `.sig` when it is bare. */
export const signatureName = ({
  kind,
  digest,
  certificate,
}: Pick<WantedSignature, "kind" | "digest" | "certificate">): string =>
  `${digest}-${certificate.slice(0, 16)}.${kind === "tpm-policy" ? "sig" : "p7s"}`;

export const digestToSign = (content: Uint8Array): string => createHash("sha256").update(content).digest("hex");

const POLICY_SIZE = 32;

/** Bytes of the four that every ELF file starts with. */
const ELF = Buffer.from("\x7fELF", "latin1");

const HEX = /^[0-9a-f]{64}$/;

/** `what` names the document. Throws FORMAT_INVALID, DIGEST_MISMATCH when the content has another digest. */
export function parseWanted(value: unknown, what: string): WantedSignature {
  const invalid = (why: string) => new BootwrightError("FORMAT_INVALID", `${what}: ${why}`);
  if (typeof value !== "object" || value === null) throw invalid("a wanted signature is not an object");
  const { kind, digest, content, key, certificate, what: label, facts } = value as Record<string, unknown>;
  if (!isKind(kind)) throw invalid(`signatures of kind ${JSON.stringify(kind)}`);
  for (const [name, text] of Object.entries({ digest, certificate }))
    if (typeof text !== "string" || !HEX.test(text)) throw invalid(`${name} is not a SHA-256 digest`);
  if (!isLine(key) || !isLine(label)) throw invalid("key or what is not a line of text");
  if (typeof facts !== "object" || facts === null || !Object.values(facts).every(isLine))
    throw invalid("facts are not lines of text");
  const inside = kind === "detached" || kind === "tpm-policy";
  if (inside !== (typeof content === "string")) throw invalid("content is there or missing against its kind");
  if (typeof content === "string" && digestToSign(Buffer.from(content, "base64")) !== digest)
    throw new BootwrightError("DIGEST_MISMATCH", `${what}: the content to sign is not what its digest says`);
  if (typeof content === "string") requireForm(kind, { content: Buffer.from(content, "base64"), what });
  return {
    kind,
    digest: digest as string,
    ...(typeof content === "string" && { content }),
    key,
    certificate: certificate as string,
    what: label,
    facts: facts as Record<string, string>,
  };
}

/** Throws FORMAT_INVALID unless it is what such a signature is of. */
export function requireForm(kind: SignatureKind, { content, what }: { content: Buffer; what: string }): void {
  const good =
    kind === "tpm-policy"
      ? content.length === POLICY_SIZE
      : kind === "detached"
        ? HEX.test(content.toString("latin1"))
        : content.subarray(0, ELF.length).equals(ELF);
  if (good) return;
  const form = { "tpm-policy": "the digest of a TPM policy has 32 bytes", detached: "a root hash has 64 hex digits" };
  const why = kind in form ? form[kind as keyof typeof form] : "a kernel module is an ELF file";
  throw new BootwrightError("FORMAT_INVALID", `${what}: ${why}`);
}

/** One, or a list of them. */
export function parseWantedText(text: string, what: string): readonly WantedSignature[] {
  try {
    const value: unknown = JSON.parse(text);
    return (Array.isArray(value) ? value : [value]).map((one) => parseWanted(one, what));
  } catch (error) {
    if (error instanceof BootwrightError) throw error;
    throw new BootwrightError("FORMAT_INVALID", `${what}: ${messageOf(error)}`);
  }
}

const isLine = (value: unknown): value is string =>
  typeof value === "string" && value.length <= 4096 && !/[\0\n\r]/.test(value);

const isKind = (value: unknown): value is SignatureKind => KINDS.some((kind) => kind === value);
