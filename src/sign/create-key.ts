/** Makes keys: a secret that only its owner reads, and what everybody may have of it. */
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { BootwrightError } from "../base/errors.ts";
import { ensureDir, writeFileAtomic } from "../base/fs.ts";
import { formatMinisignKey, keyName, minisignKeyOf } from "../formats/minisign.ts";
import { createCertificate, encodePem, parseCertificate } from "../formats/x509.ts";
import { keyFiles } from "./key-files.ts";
import type { KeyType } from "./schema.ts";

export interface NewKeyOptions {
  readonly type: KeyType;
  /** Common name. */
  readonly subject: string;
  readonly days: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly passphrase?: string;
}

export interface NewKey {
  readonly secret: string;
  readonly public: string;
  /** Of the certificate (SHA-256), or minisign's number of the key. */
  readonly fingerprint: string;
}

/** `file` has no ending. Throws EXISTS when any of its files is there: a key is never overwritten. */
export function createKey(file: string, options: NewKeyOptions): NewKey {
  const files = keyFiles(file);
  for (const one of Object.values(files))
    if (fs.existsSync(one))
      throw new BootwrightError("EXISTS", `${one} is there already`, {
        hint: "a key is never overwritten: move it away to make a new one",
      });
  ensureDir(path.dirname(file));
  const { type, passphrase } = options;
  const secret = generate(type);
  const pem = secret.export({
    type: "pkcs8",
    format: "pem",
    ...(passphrase !== undefined && { cipher: "aes-256-cbc", passphrase }),
  } as { type: "pkcs8"; format: "pem" });
  writeFileAtomic(files.secret, pem, { mode: 0o600, sync: true });
  if (type === "ed25519") {
    const key = minisignKeyOf(secret);
    writeFileAtomic(files.public, formatMinisignKey(key), { sync: true });
    return { secret: files.secret, public: files.public, fingerprint: keyName(key.id) };
  }
  const der = createCertificate({
    privateKey: secret,
    subject: options.subject,
    // Clocks differ: a certificate of tomorrow would be refused today.
    notBefore: options.now - DAY,
    days: options.days + 1,
    serial: positive(randomBytes(16)),
  });
  writeFileAtomic(files.certificate, encodePem("CERTIFICATE", der), { sync: true });
  const { fingerprint } = parseCertificate(der, files.certificate);
  return { secret: files.secret, public: files.certificate, fingerprint };
}

const DAY = 86_400_000;

function generate(type: KeyType): KeyObject {
  switch (type) {
    case "ed25519":
      return generateKeyPairSync("ed25519").privateKey;
    case "p256":
    case "p384":
      return generateKeyPairSync("ec", { namedCurve: type === "p256" ? "P-256" : "P-384" }).privateKey;
    default:
      return generateKeyPairSync("rsa", { modulusLength: Number(type.slice(3)) }).privateKey;
  }
}

/** A serial number may not be zero, and its length should not depend on chance. */
function positive(bytes: Buffer): Buffer {
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes;
}
