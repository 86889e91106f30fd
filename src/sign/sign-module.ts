/** Signatures of kernel modules: out of `signatures/`, by a key that is here, or wanted. The kernel's stage puts them behind the modules. */
import type { Signer } from "../formats/pkcs7.ts";
import { parseCertificate } from "../formats/x509.ts";
import type { BlobArtifact, TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { signatureFinder } from "./find-signature.ts";
import { checkSignature, makeSignature } from "./make-signature.ts";
import { digestToSign, type WantedSignature } from "./wanted-signature.ts";

export interface ModuleSigning {
  readonly store: Store;
  readonly certificate: BlobArtifact;
  readonly signatures: TreeArtifact | undefined;
}

/** The signature of a module's bytes, or the one that is wanted, without its content. */
export type SignsModule = (
  module: Buffer,
  path: string,
) => Promise<{ readonly signature: Uint8Array } | { readonly wanted: WantedSignature }>;

export function moduleSigner({ key, signer }: { key: string; signer: (() => Signer) | undefined }) {
  return ({ store, certificate, signatures }: ModuleSigning): SignsModule => {
    const trusted = parseCertificate(store.blobs.readAll(certificate), `certificate of key ${key}`);
    const find = signatureFinder(store, signatures);
    const by = signer?.();
    return async (module, path) => {
      const wanted: WantedSignature = {
        ...{ kind: "module", digest: digestToSign(module), key, certificate: trusted.fingerprint },
        ...{ what: `module ${path.slice(path.lastIndexOf("/") + 1)}`, facts: { path } },
      };
      const whole = { ...wanted, content: module.toString("base64") };
      const signature = find(wanted) ?? (by === undefined ? undefined : await makeSignature(by, whole));
      if (signature === undefined) return { wanted };
      checkSignature(signature, { wanted: whole, certificate: trusted });
      return { signature };
    };
  };
}
