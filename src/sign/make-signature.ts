/** Makes and checks the signatures that are wanted. */
import { createHash } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import { signDigest, signedDigest } from "../formats/authenticode.ts";
import { readDer } from "../formats/der-reader.ts";
import { type Signer, signDetached } from "../formats/pkcs7.ts";
import { parseSignedData, verifySignedData } from "../formats/pkcs7-reader.ts";
import type { Certificate } from "../formats/x509.ts";
import type { WantedSignature } from "./wanted-signature.ts";

/** PKCS #7, DER. */
export function makeSignature(signer: Signer, wanted: WantedSignature): Promise<Uint8Array> {
  if (wanted.kind === "authenticode") return signDigest(signer, wanted.digest);
  return signDetached(signer, Buffer.from(wanted.content!, "base64"), { bare: false, certificates: false });
}

/** Throws SIGNATURE_INVALID, FORMAT_INVALID unless it is of what is wanted, by the certificate that is wanted. */
export function checkSignature(
  signature: Uint8Array,
  { wanted, certificate }: { readonly wanted: WantedSignature; readonly certificate: Certificate },
): void {
  const { what } = wanted;
  const data = parseSignedData(signature, what);
  if (wanted.kind === "authenticode") {
    const digest = signedDigest(signature, what);
    if (digest !== wanted.digest)
      throw new BootwrightError("SIGNATURE_INVALID", `${what}: the signature is of sha256:${digest}`, {
        hint: "what was signed is not what was built; make a new request: bootwright build",
      });
    verifySignedData(data, { bytes: readDer(data.content!.der, what).content, trusted: [certificate], what });
    return;
  }
  const bytes = Buffer.from(wanted.content!, "base64");
  if (createHash("sha256").update(bytes).digest("hex") !== wanted.digest)
    throw new Error("a content with another digest");
  verifySignedData(data, { bytes, trusted: [certificate], what });
}
