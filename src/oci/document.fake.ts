/** Manifests of no layers, for tests of what is about what. */
import { type Digest, digestOf } from "../base/digest.ts";
import { encodeOciDocument, OCI_TYPES } from "../formats/oci.ts";
import { EMPTY_BYTES, EMPTY_TYPE } from "../formats/oci-content.ts";
import type { Document } from "./manifests.ts";

export const empty = digestOf(EMPTY_BYTES);
const json = ({ hash, size }: Digest, mediaType: string) => ({ mediaType, digest: `sha256:${hash}`, size });

/** `subject`: what it is about. */
export function documentOf(artifactType: string, subject?: Document): Document {
  const bytes = encodeOciDocument({
    schemaVersion: 2,
    mediaType: OCI_TYPES.manifest,
    artifactType,
    config: json(empty, EMPTY_TYPE),
    layers: [],
    ...(subject && { subject: json(subject, subject.mediaType) }),
  });
  return { ...digestOf(bytes), mediaType: OCI_TYPES.manifest, bytes };
}
