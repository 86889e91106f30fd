/** The public key of a certificate, as a file in PEM: as cosign wants it. */
import { X509Certificate } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { temporaryDir } from "./test-session.ts";

export function publicKeyFile(certificate: string): string {
  const file = path.join(temporaryDir(), "key.pub");
  const { publicKey } = new X509Certificate(fs.readFileSync(certificate));
  fs.writeFileSync(file, publicKey.export({ type: "spki", format: "pem" }));
  return file;
}
