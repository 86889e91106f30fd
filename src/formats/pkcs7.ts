/**
 * Makes PKCS #7 SignedData with one signer (RFC 2315), in the two forms that firmware and kernel know: with signed
 * attributes around a content (Authenticode), and without attributes over detached data (UEFI variables, modules, root
 * hashes). Nothing in it depends on the time, so RSA gives the same bytes each time.
 */
import { createHash, type KeyObject } from "node:crypto";
import { DER, derContext, derElement, derInteger, derNull, derOctets, derOid, derSequence, derSet } from "./der.ts";
import { readDer } from "./der-reader.ts";
import { type Certificate, OID } from "./x509.ts";

export const PKCS7 = {
  data: "1.2.840.113549.1.7.1",
  signedData: "1.2.840.113549.1.7.2",
  contentType: "1.2.840.113549.1.9.3",
  messageDigest: "1.2.840.113549.1.9.4",
} as const;

/** Signs bytes with SHA-256 and the key that belongs to its certificate; the key itself may be anywhere. */
export interface Signer {
  readonly certificate: Certificate;
  sign(bytes: Uint8Array): Promise<Uint8Array>;
}

export const SHA256_IDENTIFIER = derSequence(derOid(OID.sha256), derNull());

/** A content of a type, signed with attributes: a whole ContentInfo. */
export async function signContent(
  signer: Signer,
  content: { readonly type: string; readonly der: Uint8Array },
): Promise<Buffer> {
  // The digest is of the content's value, without its own tag and length (RFC 2315 §9.3).
  const digest = createHash("sha256").update(readDer(content.der, "content").content).digest();
  const attributes = [
    derSequence(derOid(PKCS7.contentType), derSet(derOid(content.type))),
    derSequence(derOid(PKCS7.messageDigest), derSet(derOctets(digest))),
  ].sort(Buffer.compare);
  const signature = await signer.sign(derElement(DER.set, ...attributes));
  return contentInfo(
    signedData(signer.certificate, {
      content: derSequence(derOid(content.type), derContext(0, content.der)),
      attributes: [derContext(0, ...attributes)],
      signature,
    }),
  );
}

/** Detached bytes, signed without attributes: the bare SignedData, or wrapped in a ContentInfo. */
export async function signDetached(
  signer: Signer,
  bytes: Uint8Array,
  options: {
    readonly bare: boolean;
    readonly certificates?: boolean;
    /** Names SHA-256 without parameters (RFC 5754 §2), as CMS does and older PKCS #7 does not. Default false. */
    readonly plainDigest?: boolean;
  },
): Promise<Buffer> {
  const { bare, certificates = true, plainDigest = false } = options;
  const signature = await signer.sign(bytes);
  const content = derSequence(derOid(PKCS7.data));
  const data = signedData(signer.certificate, { content, attributes: [], signature, certificates, plainDigest });
  return bare ? data : contentInfo(data);
}

const contentInfo = (data: Uint8Array): Buffer => derSequence(derOid(PKCS7.signedData), derContext(0, data));

function signedData(
  certificate: Certificate,
  parts: {
    readonly content: Uint8Array;
    readonly attributes: readonly Uint8Array[];
    readonly signature: Uint8Array;
    readonly certificates?: boolean;
    readonly plainDigest?: boolean;
  },
): Buffer {
  const digest = parts.plainDigest ? derSequence(derOid(OID.sha256)) : SHA256_IDENTIFIER;
  const { issuer, serial, publicKey } = certificate;
  const signerInfo = derSequence(
    derInteger(1),
    derSequence(issuer, serial),
    digest,
    ...parts.attributes,
    encryptionAlgorithm(publicKey),
    derOctets(parts.signature),
  );
  return derSequence(
    derInteger(1),
    derSet(digest),
    parts.content,
    ...(parts.certificates === false ? [] : [derContext(0, certificate.der)]),
    derSet(signerInfo),
  );
}

const encryptionAlgorithm = (key: KeyObject): Buffer =>
  key.asymmetricKeyType === "rsa"
    ? derSequence(derOid(OID.rsaEncryption), derNull())
    : derSequence(derOid(OID.ecdsaWithSha256));
