/**
 * What refers to a manifest: signatures, SBOMs, provenance. By the registry's own list where it has one, else by an index
 * under the tag `sha256-HEX` that clients keep (OCI Distribution 1.1, "Listing Referrers", "Referrers Tag Schema").
 */
import { type Digest, digestOf } from "../base/digest.ts";
import { OCI_TYPES, type OciDescriptor, parseOciIndex } from "../formats/oci.ts";
import { encodeIndex, type OciContent, parseOciContent } from "../formats/oci-content.ts";
import { type Document, getManifest, headManifest, pullScope, putManifest } from "./manifests.ts";
import type { Registry, RegistryCall } from "./registry.ts";
import { MAX_PAGE, nextPage } from "./tags.ts";

const MAX_PAGES = 100;

/** `artifactType` filters, also where the registry does not. Empty when there are none. */
export async function listReferrers(
  registry: Registry,
  { repository, hash, artifactType }: { repository: string; hash: string; artifactType?: string | undefined },
): Promise<readonly OciDescriptor[]> {
  const what = `list what refers to ${registry.host}/${repository}@sha256:${hash.slice(0, 12)}`;
  const filter = artifactType === undefined ? "" : `?artifactType=${encodeURIComponent(artifactType)}`;
  const found: OciDescriptor[] = [];
  let next: string | undefined = `${repository}/referrers/sha256:${hash}${filter}`;
  for (let page = 0; next !== undefined && page < MAX_PAGES; page++) {
    const call: RegistryCall = {
      method: "GET",
      path: next,
      scopes: [pullScope({ repository })],
      what,
      expect: [200, 404],
      headers: { accept: OCI_TYPES.index },
    };
    const { response, bytes } = await registry.document(call, MAX_PAGE);
    if (response.status === 404)
      return filtered((await tagIndex(registry, { repository, hash })).entries, artifactType);
    found.push(...parseOciIndex(bytes, what));
    next = nextPage(response, registry);
  }
  return filtered(found, artifactType);
}

/**
 * Writes a document that has a subject into the list that clients keep, where the registry keeps none itself (it did not
 * answer with `OCI-Subject`). Two clients at once may lose an entry: this list cannot be compared and swapped.
 */
export async function noteReferrer(
  registry: Registry,
  { repository, document, content }: { repository: string; document: Document; content: OciContent },
): Promise<void> {
  if (content.subject === undefined) return;
  const { hash } = content.subject;
  const { entries } = await tagIndex(registry, { repository, hash });
  if (entries.some((one) => one.hash === document.hash)) return;
  const entry: OciDescriptor = {
    mediaType: document.mediaType,
    hash: document.hash,
    size: document.size,
    ...(content.artifactType !== undefined && { artifactType: content.artifactType }),
    annotations: content.annotations,
  };
  const bytes = encodeIndex([...entries, entry]);
  const index = { ...digestOf(bytes), mediaType: OCI_TYPES.index, bytes };
  await putManifest(registry, { host: registry.host, repository, tag: `sha256-${hash}` }, index);
}

async function tagIndex(
  registry: Registry,
  { repository, hash }: { repository: string } & Pick<Digest, "hash">,
): Promise<{ entries: readonly OciDescriptor[] }> {
  const reference = { host: registry.host, repository, tag: `sha256-${hash}` };
  if ((await headManifest(registry, reference)) === undefined) return { entries: [] };
  const document = await getManifest(registry, reference);
  const content = parseOciContent(document.bytes, document.mediaType, `${registry.host}/${repository}:sha256-${hash}`);
  return { entries: content.kind === "index" ? content.manifests : [] };
}

const filtered = (found: readonly OciDescriptor[], artifactType: string | undefined): readonly OciDescriptor[] =>
  artifactType === undefined ? found : found.filter((one) => one.artifactType === artifactType);
