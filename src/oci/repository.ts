/** A registry's repository as a place to copy from and to. */
import type { Digest } from "../base/digest.ts";
import { parseOciContent } from "../formats/oci-content.ts";
import type { BlobSource } from "./blob.ts";
import type { ContentSource, ContentTarget } from "./content.ts";
import { type Document, getManifest, headManifest, putManifest } from "./manifests.ts";
import { pullBlob } from "./pull-blob.ts";
import { pushBlob } from "./push-blob.ts";
import type { RegistryReference } from "./reference.ts";
import { noteReferrer } from "./referrers.ts";
import type { Registry } from "./registry.ts";

export interface Repository extends ContentSource, ContentTarget {
  readonly registry: Registry;
  readonly repository: string;
  /** By tag or digest. */
  resolve(reference: RegistryReference): Promise<Document>;
}

export function openRepository(
  registry: Registry,
  { repository, chunkSize }: { repository: string; chunkSize?: number },
): Repository {
  const { host } = registry;
  const at = (digest?: string): RegistryReference => ({ host, repository, ...(digest !== undefined && { digest }) });
  return {
    registry,
    repository,
    label: `${host}/${repository}`,
    resolve: (reference) => getManifest(registry, reference),
    document: ({ hash }) => getManifest(registry, at(hash)),
    blob: (digest: Digest): BlobSource => ({
      ...digest,
      open: (offset) => pullBlob(registry, digest, { repository, offset }),
      mountFrom: { host, repository },
    }),
    hasDocument: async ({ hash }) => (await headManifest(registry, at(hash))) !== undefined,
    putBlob: (blob, progress) => pushBlob(registry, blob, { repository, progress, chunkSize }),
    async putDocument(document, { tag }) {
      const kept = await putManifest(registry, { host, repository, ...(tag !== undefined && { tag }) }, document);
      if (kept) return;
      const content = parseOciContent(document.bytes, document.mediaType, `${host}/${repository}`);
      await noteReferrer(registry, { repository, document, content });
    },
  };
}
