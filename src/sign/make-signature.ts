/** Makes and checks the signatures that are wanted. */
import { verify } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import { signDigest, signedDigest } from "../formats/authenticode.ts";
import { readDer } from "../formats/der-reader.ts";
import { signModule } from "../formats/module-signature.ts";
import { type Signer, signDetached } from "../formats/pkcs7.ts";
import { parseSignedData, verifySignedData } from "../formats/pkcs7-reader.ts";
import type { Certificate } from "../formats/x509.ts";
import { digestToSign, type WantedSignature } from "./wanted-signature.ts";

/** PKCS #7, DER; of a TPM policy the bare signature. A module's content must have been put in. */
export function makeSignature(signer: Signer, wanted: WantedSignature): Promise<Uint8Array> {
  if (wanted.kind === "authenticode") return signDigest(signer, wanted.digest);
  const content = Buffer.from(wanted.content!, "base64");
  if (wanted.kind === "tpm-policy") return signer.sign(content);
  if (wanted.kind === "module") return signModule(signer, content);
  return signDetached(signer, content, { bare: false, certificates: false });
}

/** Throws SIGNATURE_INVALID, FORMAT_INVALID unless it is of what is wanted, by the certificate that is wanted. */
export function checkSignature(
  signature: Uint8Array,
  { wanted, certificate }: { readonly wanted: WantedSignature; readonly certificate: Certificate },
): void {
  const { what } = wanted;
  if (wanted.kind === "authenticode") {
    const data = parseSignedData(signature, what);
    const digest = signedDigest(signature, what);
    if (digest !== wanted.digest)
      throw new BootwrightError("SIGNATURE_INVALID", `${what}: the signature is of sha256:${digest}`, {
        hint: "what was signed is not what was built; make a new request: bootwright build",
      });
    verifySignedData(data, { bytes: readDer(data.content!.der, what).content, trusted: [certificate], what });
    return;
  }
  const bytes = Buffer.from(wanted.content!, "base64");
  if (digestToSign(bytes) !== wanted.digest) throw new Error("a content with another digest");
  if (wanted.kind === "tpm-policy") {
    if (verify("sha256", bytes, certificate.publicKey, signature)) return;
    throw new BootwrightError("SIGNATURE_INVALID", `${what}: the signature is not of this policy by ${wanted.key}`);
  }
  verifySignedData(parseSignedData(signature, what), { bytes, trusted: [certificate], what });
}
