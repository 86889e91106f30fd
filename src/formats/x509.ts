/**
 * X.509 certificates as far as signing needs them (RFC 5280): self-signed ones are made, and of others issuer, serial number
 * and public key are read. Chains and revocation are the firmware's and the kernel's affair: they trust single certificates.
 */
import { createHash, createPublicKey, type KeyObject, sign } from "node:crypto";
import { BootwrightError, messageOf } from "../base/errors.ts";
import {
  DER,
  derBits,
  derContext,
  derElement,
  derInteger,
  derNull,
  derOctets,
  derOid,
  derSequence,
  derSet,
  derTime,
  derUtf8,
} from "./der.ts";
import { type DerNode, derList, derOidText, membersOf, readDer } from "./der-reader.ts";

export const OID = {
  rsaEncryption: "1.2.840.113549.1.1.1",
  sha256WithRsa: "1.2.840.113549.1.1.11",
  ecdsaWithSha256: "1.2.840.10045.4.3.2",
  sha256: "2.16.840.1.101.3.4.2.1",
  commonName: "2.5.4.3",
  subjectKeyId: "2.5.29.14",
  keyUsage: "2.5.29.15",
  basicConstraints: "2.5.29.19",
  extendedKeyUsage: "2.5.29.37",
  codeSigning: "1.3.6.1.5.5.7.3.3",
} as const;

export interface Certificate {
  readonly der: Buffer;
  /** The issuer's name, DER. */
  readonly issuer: Uint8Array;
  /** DER INTEGER. */
  readonly serial: Uint8Array;
  readonly publicKey: KeyObject;
  /** Of the subject, or "". */
  readonly commonName: string;
  /** SHA-256 of the DER, hex. */
  readonly fingerprint: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
}

export interface NewCertificate {
  readonly privateKey: KeyObject;
  /** Common name. */
  readonly subject: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly days: number;
  /** Big-endian, not zero, at most 20 bytes (RFC 5280 §4.1.2.2). */
  readonly serial: Uint8Array;
}

const DAY = 86_400_000;

/** A self-signed certificate for signing code, DER. Throws UNSUPPORTED for keys that are neither RSA nor EC. */
export function createCertificate({ privateKey, subject, notBefore, days, serial }: NewCertificate): Buffer {
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const name = derSequence(derSet(derSequence(derOid(OID.commonName), derUtf8(subject))));
  const algorithm = signatureAlgorithm(privateKey);
  const body = derSequence(
    derContext(0, derInteger(2)), // Version 3.
    derInteger(serial),
    algorithm,
    name,
    derSequence(derTime(notBefore), derTime(notBefore + days * DAY)),
    name,
    publicKey,
    derContext(3, derSequence(...extensions(publicKey))),
  );
  return derSequence(body, algorithm, derBits(sign("sha256", body, privateKey)));
}

/** DER or PEM; `what` names the file. Throws FORMAT_INVALID. */
export function parseCertificate(bytes: Uint8Array, what: string): Certificate {
  const der = fromPem(bytes) ?? Buffer.from(bytes);
  const certificate = membersOf(sequence(readDer(der, what), what), what);
  const body = membersOf(certificate.next(DER.sequence), what);
  body.optional(0xa0); // Version.
  const serial = body.next(DER.integer);
  body.next(DER.sequence); // Signature algorithm.
  const issuer = body.next(DER.sequence);
  const [, notAfter] = derList(body.next(DER.sequence), what);
  const subject = body.next(DER.sequence);
  const spki = body.next(DER.sequence);
  return {
    der,
    issuer: issuer.raw,
    serial: serial.raw,
    publicKey: openPublicKey(spki.raw, what),
    commonName: commonName(subject, what),
    fingerprint: createHash("sha256").update(der).digest("hex"),
    notAfter: readTime(notAfter, what),
  };
}

export const encodePem = (label: string, der: Uint8Array): string =>
  `-----BEGIN ${label}-----\n${Buffer.from(der)
    .toString("base64")
    .replace(/.{1,64}/g, "$&\n")}-----END ${label}-----\n`;

function signatureAlgorithm(key: KeyObject): Buffer {
  if (key.asymmetricKeyType === "rsa") return derSequence(derOid(OID.sha256WithRsa), derNull());
  if (key.asymmetricKeyType === "ec") return derSequence(derOid(OID.ecdsaWithSha256));
  throw new BootwrightError("UNSUPPORTED", `a certificate for a key of type ${key.asymmetricKeyType}`, {
    hint: "use an RSA key (the only kind that every firmware knows), or EC",
  });
}

function extensions(spki: Uint8Array): readonly Buffer[] {
  const keyId = createHash("sha1").update(spki).digest();
  const critical = derElement(DER.boolean, Buffer.from([0xff]));
  const extension = (id: string, ...value: readonly Uint8Array[]) => derSequence(derOid(id), ...value);
  return [
    extension(OID.basicConstraints, critical, derOctets(derSequence())), // It signs code, not certificates.
    extension(OID.keyUsage, critical, derOctets(derElement(DER.bitString, Buffer.from([7, 0x80])))), // digitalSignature
    extension(OID.extendedKeyUsage, derOctets(derSequence(derOid(OID.codeSigning)))),
    extension(OID.subjectKeyId, derOctets(derOctets(keyId))),
  ];
}

function fromPem(bytes: Uint8Array): Buffer | undefined {
  const text = Buffer.from(bytes).toString("latin1");
  const body = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(text)?.[1];
  return body === undefined ? undefined : Buffer.from(body, "base64");
}

function sequence(node: DerNode, what: string): DerNode {
  if (node.tag === DER.sequence) return node;
  throw new BootwrightError("FORMAT_INVALID", `${what}: not a certificate`);
}

function openPublicKey(spki: Uint8Array, what: string): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: "der", type: "spki" });
  } catch (error) {
    throw new BootwrightError("FORMAT_INVALID", `${what}: its public key: ${messageOf(error)}`);
  }
}

function commonName(subject: DerNode, what: string): string {
  for (const set of derList(subject, what))
    for (const pair of derList(set, what)) {
      const [id, value] = derList(pair, what);
      if (id !== undefined && value !== undefined && derOidText(id, what) === OID.commonName)
        return Buffer.from(value.content).toString("utf8");
    }
  return "";
}

function readTime(node: DerNode | undefined, what: string): number {
  const match = /^(\d{2}|\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(
    Buffer.from(node?.content ?? []).toString("latin1"),
  );
  if (match === null) throw new BootwrightError("FORMAT_INVALID", `${what}: a time that is none`);
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [number, ...number[]];
  // Two digits stand for 1950 to 2049 (RFC 5280 §4.1.2.5.1).
  const full = match[1]!.length === 4 ? year : year + (year < 50 ? 2000 : 1900);
  return Date.UTC(full, month! - 1, day, hour, minute, second);
}
