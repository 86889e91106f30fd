/** A key of the config for documents and files: signatures as cosign and in-toto take them. */
import { createPublicKey, createSign, type KeyObject, sign } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { BootwrightError, ioError } from "../base/errors.ts";
import { keyFiles, loadSecretKey } from "./key-files.ts";
import { loadSigner } from "./load-signer.ts";
import type { KeyConfig } from "./schema.ts";

export interface DocumentSigner {
  readonly publicKey: KeyObject;
  /** SHA-256 with the scheme of the key; Ed25519 as it is. */
  sign(bytes: Uint8Array): Promise<Uint8Array>;
  /** As `sign`, of a file of any size. Throws UNSUPPORTED for keys that take no stream, and large files. */
  signFile(file: string): Promise<Uint8Array>;
}

/** What is signed at once is held in memory. Bytes. */
const MAX_WHOLE = 512 * 1024 * 1024;

/** Throws what loadSigner throws. */
export function loadDocumentSigner(key: KeyConfig, projectDir: string): DocumentSigner {
  if (key.pkcs11 !== undefined) {
    const { certificate, sign: signBytes } = loadSigner(key, projectDir);
    return {
      publicKey: certificate.publicKey,
      sign: signBytes,
      signFile: (file) => signBytes(readWhole(file, key)),
    };
  }
  const secret = loadSecretKey(key, projectDir);
  const publicKey = createPublicKey(secret);
  if (secret.asymmetricKeyType === "ed25519")
    return {
      publicKey,
      sign: async (bytes) => sign(null, bytes, secret),
      signFile: async (file) => sign(null, readWhole(file, key), secret),
    };
  return {
    publicKey,
    sign: async (bytes) => sign("sha256", bytes, secret),
    async signFile(file) {
      const signer = createSign("sha256");
      await pipeline(fs.createReadStream(file), signer);
      return signer.sign(secret);
    },
  };
}

function readWhole(file: string, key: KeyConfig): Buffer {
  try {
    if (fs.statSync(file).size > MAX_WHOLE)
      throw new BootwrightError(
        "UNSUPPORTED",
        `${path.basename(file)} is too large to be signed with ${keyFiles(key.file).secret}`,
        {
          hint: 'use a key of type "p256" in a file; a signed statement names the file by its digest',
        },
      );
    return fs.readFileSync(file);
  } catch (error) {
    throw ioError("read", file, error);
  }
}
