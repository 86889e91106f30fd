/** Secret keys as files: Ed25519 in PKCS #8 (RFC 8410), PEM, readable by their owner alone. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { BootwrightError, messageOf } from "../base/errors.ts";
import { readIfExists, writeFileAtomic } from "../base/fs.ts";
import { formatMinisignKey, keyName, minisignKeyOf } from "../formats/minisign.ts";
import type { KeyConfig } from "./schema.ts";

const secretFile = (file: string): string => `${file}.key`;
const publicFile = (file: string): string => `${file}.pub`;

/** Throws PATH_MISSING, FORMAT_INVALID, ACCESS_DENIED when others may read it. */
export function loadSigningKey({ file }: KeyConfig, { projectDir }: { projectDir: string }): KeyObject {
  const at = secretFile(path.resolve(projectDir, file));
  const pem = readIfExists(at);
  if (pem === undefined)
    throw new BootwrightError("PATH_MISSING", `the secret key ${secretFile(file)} is not there`, {
      hint: "bootwright keys init, or copy it here from where it is kept",
    });
  if ((fs.statSync(at).mode & 0o077) !== 0)
    throw new BootwrightError("ACCESS_DENIED", `others may read the secret key ${secretFile(file)}`, {
      hint: `chmod 600 ${secretFile(file)}`,
    });
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== "ed25519") throw new Error(`it is of type ${key.asymmetricKeyType}`);
    return key;
  } catch (error) {
    throw new BootwrightError("FORMAT_INVALID", `${secretFile(file)} is no Ed25519 key in PEM: ${messageOf(error)}`);
  }
}

export interface NewKey {
  readonly secret: string;
  readonly public: string;
  /** The number by which minisign names it. */
  readonly number: string;
}

/** Makes a pair of files. Throws EXISTS when either is there. */
export function createSigningKey(file: string): NewKey {
  const made = { secret: secretFile(file), public: publicFile(file) };
  for (const one of Object.values(made))
    if (fs.existsSync(one))
      throw new BootwrightError("EXISTS", `${one} is there already`, {
        hint: "a key is never overwritten: move it away to make a new one",
      });
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = minisignKeyOf(privateKey);
  writeFileAtomic(made.secret, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600, sync: true });
  writeFileAtomic(made.public, formatMinisignKey(key), { sync: true });
  return { ...made, number: keyName(key.id) };
}
