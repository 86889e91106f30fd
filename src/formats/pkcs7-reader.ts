/** Reads PKCS #7 SignedData (RFC 2315) and verifies it against certificates that are trusted one by one. SHA-256 only. */
import { createHash, timingSafeEqual, verify } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import { DER, derElement } from "./der.ts";
import { type DerNode, derList, derOidText, membersOf, readDer } from "./der-reader.ts";
import { PKCS7 } from "./pkcs7.ts";
import { type Certificate, OID, parseCertificate } from "./x509.ts";

export interface SignedData {
  readonly certificates: readonly Certificate[];
  /** Absent when the content is detached. */
  readonly content: { readonly type: string; readonly der: Uint8Array } | undefined;
  readonly signers: readonly SignerInfo[];
}

export interface SignerInfo {
  readonly issuer: Uint8Array;
  readonly serial: Uint8Array;
  /** As they were signed: a SET; absent when the content itself was. */
  readonly attributes: Uint8Array | undefined;
  /** What the attributes say of the content. */
  readonly contentType: Uint8Array | undefined;
  readonly messageDigest: Uint8Array | undefined;
  readonly signature: Uint8Array;
}

/** A ContentInfo or a bare SignedData. Throws FORMAT_INVALID, UNSUPPORTED for digests other than SHA-256. */
export function parseSignedData(bytes: Uint8Array, what: string): SignedData {
  const outer = readDer(bytes, what);
  const first = derList(outer, what)[0];
  const members = membersOf(first?.tag === DER.oid ? unwrap(outer, what) : outer, what);
  members.next(DER.integer);
  members.next(DER.set);
  const content = membersOf(members.next(DER.sequence), what);
  const type = derOidText(content.next(DER.oid), what);
  const wrapped = content.optional(0xa0);
  const certificates = members.optional(0xa0);
  members.optional(0xa1); // Revocation lists.
  const signers = members.next(DER.set);
  members.end();
  return {
    certificates:
      certificates === undefined ? [] : derList(certificates, what).map(({ raw }) => parseCertificate(raw, what)),
    content: wrapped === undefined ? undefined : { type, der: readDer(wrapped.content, what).raw },
    signers: derList(signers, what).map((signer) => parseSigner(signer, what)),
  };
}

/**
 * The certificate among `trusted` that has signed: `bytes` are the content's value, or the detached bytes. Throws
 * SIGNATURE_INVALID that says why none has.
 */
export function verifySignedData(
  data: SignedData,
  {
    bytes,
    trusted,
    what,
  }: { readonly bytes: Uint8Array; readonly trusted: readonly Certificate[]; readonly what: string },
): Certificate {
  const reasons: string[] = [];
  for (const signer of data.signers) {
    const certificate = trusted.find((one) => same(one.issuer, signer.issuer) && same(one.serial, signer.serial));
    if (certificate === undefined) {
      const own = data.certificates.find((one) => same(one.serial, signer.serial));
      reasons.push(`signed by ${own === undefined ? "an unknown key" : `"${own.commonName}"`}, which is not trusted`);
    } else if (signer.attributes !== undefined && !describes(signer, { data, bytes }))
      reasons.push("the content is not what was signed");
    else if (verify("sha256", signer.attributes ?? bytes, certificate.publicKey, signer.signature)) return certificate;
    else reasons.push(`the signature is not one by "${certificate.commonName}" over these bytes`);
  }
  throw new BootwrightError("SIGNATURE_INVALID", `${what}: ${reasons.join("; ") || "there is no signature"}`);
}

/** Signed attributes stand for a content only when they have its digest and its type (RFC 2315 §9.2). */
function describes(signer: SignerInfo, { data, bytes }: { data: SignedData; bytes: Uint8Array }): boolean {
  const digest = createHash("sha256").update(bytes).digest();
  const { messageDigest, contentType } = signer;
  if (messageDigest?.length !== digest.length || !timingSafeEqual(messageDigest, digest)) return false;
  const type = { tag: DER.oid, content: contentType ?? new Uint8Array(0), raw: new Uint8Array(0) };
  return contentType !== undefined && derOidText(type, "content type") === (data.content?.type ?? PKCS7.data);
}

function unwrap(outer: DerNode, what: string): DerNode {
  const members = membersOf(outer, what);
  const type = derOidText(members.next(DER.oid), what);
  if (type !== PKCS7.signedData) throw new BootwrightError("FORMAT_INVALID", `${what}: PKCS #7 of type ${type}`);
  const data = readDer(members.next(0xa0).content, what);
  members.end();
  return data;
}

function parseSigner(node: DerNode, what: string): SignerInfo {
  const members = membersOf(node, what);
  members.next(DER.integer);
  const name = membersOf(members.next(DER.sequence), what);
  const issuer = name.next(DER.sequence).raw;
  const serial = name.next(DER.integer).raw;
  const digest = derOidText(membersOf(members.next(DER.sequence), what).next(DER.oid), what);
  if (digest !== OID.sha256)
    throw new BootwrightError("UNSUPPORTED", `${what}: a signature over digest ${digest}; only SHA-256 counts`);
  const attributes = members.optional(0xa0);
  members.next(DER.sequence);
  const value = (id: string) => (attributes === undefined ? undefined : attributeValue(attributes, { id, what }));
  return {
    issuer,
    serial,
    // What was signed is the same with the tag of a SET (RFC 2315 §9.3).
    attributes: attributes === undefined ? undefined : derElement(DER.set, attributes.content),
    contentType: value(PKCS7.contentType),
    messageDigest: value(PKCS7.messageDigest),
    signature: members.next(DER.octetString).content,
  };
}

function attributeValue(attributes: DerNode, { id, what }: { id: string; what: string }): Uint8Array | undefined {
  const found = derList(attributes, what).filter((one) => derOidText(membersOf(one, what).next(DER.oid), what) === id);
  if (found.length > 1) throw new BootwrightError("FORMAT_INVALID", `${what}: the attribute ${id} is there twice`);
  if (found[0] === undefined) return undefined;
  const pair = membersOf(found[0], what);
  pair.next(DER.oid);
  return readDer(pair.next(DER.set).content, what).content;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
