/**
 * The stages that put signed TPM policies into a UKI: its public key as `.pcrpkey` before it is put together, and behind it
 * `.pcrsig`, for which its measurements must be known. As with Authenticode, a signature comes from `signatures/` or from a
 * key that is here; where there is neither, it is wanted. See docs/decisions/0016-signing.md.
 */
import { predictPcr11 } from "../formats/pcr11.ts";
import { appendPeSections, PE_DATA } from "../formats/pe-writer.ts";
import type { Signer } from "../formats/pkcs7.ts";
import { encodePcrKey, encodePcrSignatures, pcrPolicyDigest } from "../formats/tpm-policy.ts";
import { parseCertificate } from "../formats/x509.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { openBlobSource } from "../store/blob-source.ts";
import { findSignature } from "./find-signature.ts";
import { checkSignature, makeSignature } from "./make-signature.ts";
import { digestToSign, type WantedSignature } from "./wanted-signature.ts";

export const PCR_KIND = "sign-pcr";

type KeyInputs = { certificate: BlobInput };

export function pcrKeyStage({
  name,
  key,
  certificate,
}: {
  readonly name: string;
  readonly key: string;
  readonly certificate: BlobInput;
}): Stage<KeyInputs, { section: BlobArtifact }> {
  return defineStage<KeyInputs, { section: BlobArtifact }>({
    name,
    kind: "pcr-key",
    version: 1,
    inputs: { certificate },
    params: { key },
    outputs: ["section"],
    run: async ({ inputs, store }) => {
      const { publicKey } = parseCertificate(store.blobs.readAll(inputs.certificate), `certificate of key ${key}`);
      return { section: blobArtifact(store.blobs.put(encodePcrKey(publicKey, `the key ${key}`))) };
    },
  });
}

export interface PcrStageOptions {
  readonly name: string;
  /** A UKI with `.pcrpkey`, not signed yet. */
  readonly image: BlobInput;
  /** What the image still lacks, as JSON: until it is empty, no policy is made or asked for. */
  readonly pending?: readonly BlobInput[];
  readonly key: string;
  readonly certificate: BlobInput;
  readonly signatures: TreeInput | undefined;
  readonly signer: (() => Signer) | undefined;
  /** For whoever signs: "uki host". */
  readonly what: string;
}

type PcrInputs = {
  image: BlobInput;
  pending: readonly BlobInput[];
  certificate: BlobInput;
  signatures: TreeInput | undefined;
};
/** `wanted`: the missing signatures as a JSON list; empty when all are there. */
export type PcrSigned = { readonly image: BlobArtifact; readonly wanted: BlobArtifact };

export function pcrStage(options: PcrStageOptions): Stage<PcrInputs, PcrSigned> {
  const { name, image, pending = [], key, certificate, signatures, signer, what } = options;
  return defineStage<PcrInputs, PcrSigned>({
    name,
    kind: PCR_KIND,
    version: 1,
    inputs: { image, pending, certificate, signatures },
    params: { key, what, here: signer !== undefined },
    outputs: ["image", "wanted"],
    run: async ({ inputs, store }) => {
      if (inputs.pending.some(({ size }) => size > 0))
        return { image: inputs.image, wanted: blobArtifact(store.blobs.put("")) };
      const trusted = parseCertificate(store.blobs.readAll(inputs.certificate), `certificate of key ${key}`);
      using source = openBlobSource(store.blobs, inputs.image);
      const missing: WantedSignature[] = [];
      const signed: { policy: Buffer; signature: Uint8Array }[] = [];
      // Before the first phase nothing of the system has run yet: no secret is to be had then.
      for (const { phase, value } of predictPcr11(source, what).filter((state) => state.phase !== "")) {
        const policy = pcrPolicyDigest(value);
        const wanted: WantedSignature = {
          ...{ kind: "tpm-policy", digest: digestToSign(policy), content: policy.toString("base64"), key },
          ...{ certificate: trusted.fingerprint, what, facts: { phase, "PCR 11": value } },
        };
        const given = findSignature(store, { signatures: inputs.signatures, wanted });
        const signature = given ?? (signer === undefined ? undefined : await makeSignature(signer(), wanted));
        if (signature === undefined) missing.push(wanted);
        else {
          checkSignature(signature, { wanted, certificate: trusted });
          signed.push({ policy, signature });
        }
      }
      if (missing.length > 0)
        return { image: inputs.image, wanted: blobArtifact(store.blobs.put(JSON.stringify(missing))) };
      const content = Buffer.from(encodePcrSignatures(signed, trusted.publicKey));
      const section = { name: ".pcrsig", size: content.length, characteristics: PE_DATA, read: () => [content] };
      const whole = store.blobs.putSync(appendPeSections(source, { sections: [section] }).chunks());
      return { image: blobArtifact(whole), wanted: blobArtifact(store.blobs.put("")) };
    },
  });
}
