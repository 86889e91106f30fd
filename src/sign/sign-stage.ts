/**
 * The stage that signs an EFI program. The secret is no input: the signature comes from `signatures/`, where another machine's
 * answers lie, or from a key that is here. Where there is neither, the program goes on unsigned, and the stage says which
 * signature is wanted. See docs/decisions/0016-signing.md.
 */
import { readChunks } from "../formats/byte-source.ts";
import type { Signer } from "../formats/pkcs7.ts";
import { type BlobInput, defineStage, type ExtentsInput, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type ExtentsArtifact } from "../store/artifact.ts";
import { openFileArtifact } from "../store/extent-bytes.ts";
import type { Store } from "../store/store.ts";
import { findSignature } from "./find-signature.ts";
import type { WantedSignature } from "./wanted-signature.ts";

export interface SignStageOptions {
  readonly name: string;
  readonly image: BlobInput | ExtentsInput;
  /** What the image still lacks, as JSON: until it is empty, no signature is made or asked for. */
  readonly pending?: readonly BlobInput[];
  /** The key's name in the config. */
  readonly key: string;
  readonly certificate: BlobInput;
  /** The project's `signatures/`. */
  readonly signatures: TreeInput | undefined;
  /** When the key is here; opened only when it is needed. */
  readonly signer: (() => Signer) | undefined;
  /** For whoever signs: "uki host". */
  readonly what: string;
  readonly facts: Readonly<Record<string, string>>;
}

type SignInputs = {
  image: BlobInput | ExtentsInput;
  pending: readonly BlobInput[];
  certificate: BlobInput;
  signatures: TreeInput | undefined;
};

/** `wanted`: the missing signature as JSON; empty when the image is signed. */
export type SignedImage = { readonly image: BlobArtifact; readonly wanted: BlobArtifact };

export const SIGN_KIND = "sign-efi";

export function signStage(options: SignStageOptions): Stage<SignInputs, SignedImage> {
  const { name, image, pending = [], key, certificate, signatures, signer, what, facts } = options;
  return defineStage<SignInputs, SignedImage>({
    name,
    kind: SIGN_KIND,
    version: 1,
    inputs: { image, pending, certificate, signatures },
    // Facts are told to whoever signs, and change with the image alone.
    params: { key, what, here: signer !== undefined },
    outputs: ["image", "wanted"],
    run: async ({ inputs, store }) => {
      const { checkSignature, makeSignature } = await import("./make-signature.ts");
      const { parseCertificate } = await import("../formats/x509.ts");
      const { attachSignatures, authenticodeDigest } = await import("../formats/authenticode.ts");
      if (inputs.pending.some(({ size }) => size > 0))
        return { image: asBlob(store, inputs.image), wanted: blobArtifact(store.blobs.put("")) };
      const trusted = parseCertificate(store.blobs.readAll(inputs.certificate), `certificate of key ${key}`);
      using source = openFileArtifact(store, inputs.image);
      const digest = authenticodeDigest(source, what);
      const wanted: WantedSignature = {
        ...{ kind: "authenticode", digest, key, certificate: trusted.fingerprint, what, facts },
      };
      const given = findSignature(store, { signatures: inputs.signatures, wanted });
      const signature = given ?? (signer === undefined ? undefined : await makeSignature(signer(), wanted));
      if (signature === undefined)
        return { image: asBlob(store, inputs.image), wanted: blobArtifact(store.blobs.put(JSON.stringify(wanted))) };
      checkSignature(signature, { wanted, certificate: trusted });
      const signed = store.blobs.putSync(attachSignatures(source, { signatures: [signature], name: what }));
      return { image: blobArtifact(signed), wanted: blobArtifact(store.blobs.put("")) };
    },
  });
}

/** An image that goes on as it is. */
function asBlob(store: Store, image: BlobArtifact | ExtentsArtifact): BlobArtifact {
  if (image.kind === "blob") return image;
  using source = openFileArtifact(store, image);
  const buffer = Buffer.allocUnsafeSlow(1024 * 1024);
  return blobArtifact(
    store.blobs.putSync(readChunks(source, { offset: 0, length: source.size, format: "image", buffer })),
  );
}
