/**
 * cosign's signatures of what lies in a registry (sigstore's SIGNATURE_SPEC, after Red Hat's "simple signing"): a small
 * document that names a manifest by digest, signed as it is.
 */
import { BootwrightError } from "../base/errors.ts";
import { canonicalJson } from "../base/json.ts";
import { JsonFields } from "./oci-json.ts";

export const SIMPLE_SIGNING_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";
/** Where cosign keeps the signature: an annotation of the layer whose content is signed. */
export const COSIGN_SIGNATURE = "dev.cosignproject.cosign/signature";

const KIND = "cosign container image signature";

/** `name` is the repository, without a tag. */
export const encodeSimpleSigning = ({ name, hash }: { readonly name: string; readonly hash: string }): string =>
  canonicalJson({
    critical: {
      identity: { "docker-reference": name },
      image: { "docker-manifest-digest": `sha256:${hash}` },
      type: KIND,
    },
    optional: null,
  });

/** The SHA-256 that it names. Throws FORMAT_INVALID. */
export function parseSimpleSigning(bytes: Uint8Array, what: string): string {
  const critical = JsonFields.parse(bytes, what).object("critical");
  if (critical.text("type") !== KIND) throw critical.unexpected("type", JSON.stringify(KIND));
  const hash = /^sha256:([0-9a-f]{64})$/.exec(critical.object("image").text("docker-manifest-digest"))?.[1];
  if (hash !== undefined) return hash;
  throw new BootwrightError("FORMAT_INVALID", `${what}: it names no SHA-256 digest`);
}
