/** Where the parts of a key lie, and how they are read. */
import { createPrivateKey, type KeyObject } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { BootwrightError, messageOf } from "../base/errors.ts";
import { readIfExists } from "../base/fs.ts";
import { type Certificate, parseCertificate } from "../formats/x509.ts";
import type { KeyConfig } from "./schema.ts";

export interface KeyFiles {
  /** PKCS #8, PEM. */
  readonly secret: string;
  /** PEM. */
  readonly certificate: string;
  /** minisign's format; for Ed25519 keys, in place of the certificate. */
  readonly public: string;
}

export const keyFiles = (file: string): KeyFiles => ({
  secret: `${file}.key`,
  certificate: `${file}.crt`,
  public: `${file}.pub`,
});

/** Throws PATH_MISSING, FORMAT_INVALID, and ACCESS_DENIED when others may read it. */
export function loadSecretKey(key: Pick<KeyConfig, "file" | "passphrase">, projectDir: string): KeyObject {
  const label = keyFiles(key.file).secret;
  const at = path.resolve(projectDir, label);
  const pem = readIfExists(at);
  if (pem === undefined)
    throw new BootwrightError("PATH_MISSING", `the secret key ${label} is not there`, {
      hint: "bootwright keys init, or sign where the keys are: `bootwright sign REQUEST`",
    });
  if ((fs.statSync(at).mode & 0o077) !== 0)
    throw new BootwrightError("ACCESS_DENIED", `others may read the secret key ${label}`, {
      hint: `chmod 600 ${label}`,
    });
  try {
    return createPrivateKey({ key: pem, ...passphraseOf(key, projectDir) });
  } catch (error) {
    const encrypted = pem.includes("ENCRYPTED") && key.passphrase === undefined;
    throw new BootwrightError("FORMAT_INVALID", `${label} is no key in PEM: ${messageOf(error)}`, {
      ...(encrypted && { hint: "it is encrypted: give `passphrase`, a file with the passphrase" }),
    });
  }
}

/** Ed25519 only, for catalogs. */
export function loadCatalogKey(key: KeyConfig, projectDir: string): KeyObject {
  const secret = loadSecretKey(key, projectDir);
  if (secret.asymmetricKeyType === "ed25519") return secret;
  throw new BootwrightError("UNSUPPORTED", `${keyFiles(key.file).secret} is of type ${secret.asymmetricKeyType}`, {
    hint: "catalogs are signed with ed25519 keys",
  });
}

/** Throws PATH_MISSING, FORMAT_INVALID. */
export function loadCertificate(label: string, projectDir: string): Certificate {
  const bytes = readIfExists(path.resolve(projectDir, label));
  if (bytes === undefined)
    throw new BootwrightError("PATH_MISSING", `the certificate ${label} is not there`, {
      hint: "bootwright keys init makes keys and certificates; a certificate may be copied here without its key",
    });
  return parseCertificate(bytes, label);
}

/** Text of a minisign public key. Throws PATH_MISSING. */
export function loadPublicKey(key: KeyConfig, projectDir: string): string {
  const label = keyFiles(key.file).public;
  const bytes = readIfExists(path.resolve(projectDir, label));
  if (bytes !== undefined) return bytes.toString("utf8");
  throw new BootwrightError("PATH_MISSING", `the public key ${label} is not there`, { hint: "bootwright keys init" });
}

export const hasSecret = (key: KeyConfig, projectDir: string): boolean =>
  key.pkcs11 !== undefined || fs.existsSync(path.resolve(projectDir, keyFiles(key.file).secret));

export function passphraseOf(
  { passphrase }: Pick<KeyConfig, "passphrase">,
  projectDir: string,
): { passphrase?: string } {
  if (passphrase === undefined) return {};
  const bytes = readIfExists(path.resolve(projectDir, passphrase));
  if (bytes === undefined) throw new BootwrightError("PATH_MISSING", `the passphrase file ${passphrase} is not there`);
  return { passphrase: bytes.toString("utf8").replace(/\n$/, "") };
}
