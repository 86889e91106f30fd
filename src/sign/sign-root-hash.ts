/**
 * The stage that signs the root hash of a verified image: detached PKCS #7 over its hex digits, as `veritysetup
 * --root-hash-signature` and the kernel's DM_VERITY_VERIFY_ROOTHASH_SIG take it, or the same in the JSON of a verity-sig partition
 * (Discoverable Partitions Specification). Where the key is not here, the signature is wanted, and empty
 * so far.
 */
import { canonicalJson } from "../base/json.ts";
import type { Signer } from "../formats/pkcs7.ts";
import { parseCertificate } from "../formats/x509.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";
import { findSignature } from "./find-signature.ts";
import { checkSignature, makeSignature } from "./make-signature.ts";
import type { WantedSignature } from "./wanted-signature.ts";

export interface SignRootHashOptions {
  readonly name: string;
  /** Hex digits. */
  readonly rootHash: BlobInput;
  readonly format: "p7s" | "json";
  /** The key's name in the config. */
  readonly key: string;
  readonly certificate: BlobInput;
  /** The project's `signatures/`. */
  readonly signatures: TreeInput | undefined;
  /** When the key is here; opened only when it is needed. */
  readonly signer: (() => Signer) | undefined;
  /** For whoever signs: "root hash of root". */
  readonly what: string;
}

type SignRootHashInputs = { rootHash: BlobInput; certificate: BlobInput; signatures: TreeInput | undefined };

/** `wanted`: the missing signature as JSON; empty when there is one. */
export type SignedRootHash = { readonly signature: BlobArtifact; readonly wanted: BlobArtifact };

export const SIGN_ROOT_HASH_KIND = "sign-root-hash";

export function signRootHash(options: SignRootHashOptions): Stage<SignRootHashInputs, SignedRootHash> {
  const { name, rootHash, format, key, certificate, signatures, signer, what } = options;
  return defineStage<SignRootHashInputs, SignedRootHash>({
    name,
    kind: SIGN_ROOT_HASH_KIND,
    version: 1,
    inputs: { rootHash, certificate, signatures },
    params: { key, what, format, here: signer !== undefined },
    outputs: ["signature", "wanted"],
    run: async ({ inputs, store }) => {
      const trusted = parseCertificate(store.blobs.readAll(inputs.certificate), `certificate of key ${key}`);
      const content = store.blobs.readAll(inputs.rootHash);
      const wanted: WantedSignature = {
        ...{ kind: "detached", digest: inputs.rootHash.hash, content: content.toString("base64") },
        ...{ key, certificate: trusted.fingerprint, what, facts: { "root hash": content.toString("utf8") } },
      };
      const given = findSignature(store, { signatures: inputs.signatures, wanted });
      const signature = given ?? (signer === undefined ? undefined : await makeSignature(signer(), wanted));
      if (signature !== undefined) checkSignature(signature, { wanted, certificate: trusted });
      const bytes = signature ?? new Uint8Array();
      const partition = {
        rootHash: content.toString("utf8"),
        certificateFingerprint: trusted.fingerprint,
        signature: Buffer.from(bytes).toString("base64"),
      };
      return {
        signature: blobArtifact(store.blobs.put(format === "p7s" ? bytes : canonicalJson(partition))),
        wanted: blobArtifact(store.blobs.put(signature === undefined ? JSON.stringify(wanted) : "")),
      };
    },
  });
}
