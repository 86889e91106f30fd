/** Keys and certificates of a test: made for it, gone with it. */
import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import type { Signer } from "../../src/formats/pkcs7.ts";
import { createCertificate, encodePem, parseCertificate } from "../../src/formats/x509.ts";

export interface TestSigner extends Signer {
  readonly privateKey: KeyObject;
  /** PEM. */
  readonly keyText: string;
  readonly certificateText: string;
}

let serial = 1;

export function testSigner(subject: string, type: "rsa" | "ec" = "rsa"): TestSigner {
  const { privateKey } =
    type === "rsa"
      ? generateKeyPairSync("rsa", { modulusLength: 2048 })
      : generateKeyPairSync("ec", { namedCurve: "P-256" });
  const der = createCertificate({
    privateKey,
    subject,
    notBefore: Date.UTC(2026, 0, 1),
    days: 3650,
    serial: Buffer.from([0x7f, serial++]),
  });
  return {
    privateKey,
    certificate: parseCertificate(der, subject),
    sign: async (bytes) => sign("sha256", bytes, privateKey),
    keyText: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    certificateText: encodePem("CERTIFICATE", der),
  };
}
