/** Manifests and indexes of a registry: documents that are kept byte for byte, since their digest is their name. */
import { systemClock } from "../base/clock.ts";
import { type Digest, digestOf } from "../base/digest.ts";
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { HttpResponse } from "../base/http.ts";
import { didYouMean } from "../base/suggest.ts";
import { MAX_OCI_DOCUMENT, verifyOciBlob } from "../formats/oci.ts";
import { DOCUMENT_TYPES } from "../formats/oci-content.ts";
import { formatReference, type RegistryReference, targetOf } from "./reference.ts";
import type { Scope } from "./refusal.ts";
import type { Registry } from "./registry.ts";
import { listTags } from "./tags.ts";

/** A manifest or an index as it came. */
export interface Document extends Digest {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

const ACCEPT = DOCUMENT_TYPES.join(", ");

/** Throws REGISTRY_UNKNOWN with the tags that there are, DIGEST_MISMATCH, LIMIT_EXCEEDED, and what the registry refuses. */
export async function getManifest(registry: Registry, reference: RegistryReference): Promise<Document> {
  const what = formatReference(reference);
  const call = {
    method: "GET",
    path: manifestPath(reference),
    scopes: [pullScope(reference)],
    what: `read ${what}`,
    expect: [200],
    headers: { accept: ACCEPT },
  } as const;
  const { response: answer, bytes } = await asking(registry, reference, () =>
    registry.document(call, MAX_OCI_DOCUMENT),
  );
  const got = digestOf(bytes);
  const named =
    reference.digest ?? /^sha256:([0-9a-f]{64})$/.exec(String(answer.headers["docker-content-digest"]))?.[1];
  if (named !== undefined) verifyOciBlob(bytes, { hash: named, size: bytes.length }, what);
  return { ...got, bytes, mediaType: mediaTypeOf(answer, bytes) };
}

/** The same, or undefined when there is no such thing. */
export async function findManifest(registry: Registry, reference: RegistryReference): Promise<Document | undefined> {
  try {
    return await getManifest(registry, reference);
  } catch (error) {
    if (hasCode(error, "REGISTRY_UNKNOWN")) return undefined;
    throw error;
  }
}

/** The digest alone, or undefined when there is no such thing. */
export async function headManifest(registry: Registry, reference: RegistryReference): Promise<Digest | undefined> {
  const response = await registry.call({
    method: "HEAD",
    path: manifestPath(reference),
    scopes: [pullScope(reference)],
    what: `look for ${formatReference(reference)}`,
    expect: [200, 404],
    headers: { accept: ACCEPT },
  });
  if (response.status === 404) return undefined;
  const hash = /^sha256:([0-9a-f]{64})$/.exec(String(response.headers["docker-content-digest"]))?.[1];
  const size = Number(response.headers["content-length"]);
  if (hash !== undefined && Number.isSafeInteger(size)) return { hash, size };
  return getManifest(registry, reference); // The digest in the answer's head is a custom, not a must.
}

/**
 * Puts a document under a tag, or under its digest alone. True when the registry itself keeps the list of what refers to the
 * document's subject.
 */
export async function putManifest(
  registry: Registry,
  reference: RegistryReference,
  document: Document,
): Promise<boolean> {
  const response = await putDocument(registry, reference, document);
  await response.body.dump();
  const stored = response.headers["docker-content-digest"];
  if (typeof stored === "string" && stored !== `sha256:${document.hash}`)
    throw new BootwrightError(
      "DIGEST_MISMATCH",
      `${formatReference(reference)}: ${registry.host} stored ${stored}, not sha256:${document.hash}`,
      { hint: "the registry changes what it is given; it cannot be relied on" },
    );
  return response.headers["oci-subject"] !== undefined;
}

const TRIES = 5;

/**
 * Debian's registry may read a link that another push of the same blob is just writing, and then says that a digest is
 * invalid. Ours is in memory and right, so it is said again; what is wrong for ever stays so.
 */
async function putDocument(
  registry: Registry,
  reference: RegistryReference,
  document: Document,
): Promise<HttpResponse> {
  const { clock = systemClock, backoffMs = 500, signal } = registry.options;
  const { digest: _, ...named } = reference;
  for (let attempt = 1; ; attempt++) {
    try {
      return await registry.call({
        method: "PUT",
        path: manifestPath(named.tag === undefined ? { ...named, digest: document.hash } : named),
        scopes: [pushScope(reference)],
        what: `push ${formatReference(reference)}`,
        expect: [201],
        headers: { "content-type": document.mediaType },
        body: document.bytes,
      });
    } catch (error) {
      if (!hasCode(error, "DIGEST_MISMATCH") || attempt === TRIES) throw error;
      await clock.sleep(Math.min(backoffMs, 100) * attempt, signal);
    }
  }
}

/** Takes a document and all tags that lead to it away; false where the registry removes nothing. What is not there is no error. */
export async function deleteManifest(
  registry: Registry,
  reference: RegistryReference & { readonly digest: string },
): Promise<boolean> {
  const response = await registry.call({
    method: "DELETE",
    path: `${reference.repository}/manifests/sha256:${reference.digest}`,
    scopes: [{ repository: reference.repository, actions: ["pull", "push", "delete"] }],
    what: `delete ${formatReference(reference)}`,
    expect: [200, 202, 404, 400, 403, 405, 501],
  });
  await response.body.dump();
  return response.status === 200 || response.status === 202 || response.status === 404;
}

export const pullScope = ({ repository }: { readonly repository: string }): Scope => ({
  repository,
  actions: ["pull"],
});
export const pushScope = ({ repository }: { readonly repository: string }): Scope => ({
  repository,
  actions: ["pull", "push"],
});

const manifestPath = (reference: RegistryReference): string =>
  `${reference.repository}/manifests/${targetOf(reference)}`;

/** A wrong tag is the commonest mistake: say which there are. */
async function asking<T>(registry: Registry, reference: RegistryReference, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!hasCode(error, "REGISTRY_UNKNOWN")) throw error;
    const { host, repository } = reference;
    const tags = await listTags(registry, repository).catch((reason: unknown) => {
      if (!hasCode(reason, "REGISTRY_UNKNOWN")) throw error;
      throw new BootwrightError("REGISTRY_UNKNOWN", `${host} has no repository ${repository}`, {
        hint: `check the name; what is there, where the registry tells: bootwright oci ls ${host}`,
        cause: error,
      });
    });
    const wanted = targetOf(reference);
    throw new BootwrightError(
      "REGISTRY_UNKNOWN",
      `${host}/${repository} has nothing under ${wanted}${reference.digest === undefined ? didYouMean(wanted, tags) : ""}`,
      {
        hint:
          tags.length === 0
            ? "it has no tags"
            : `it has: ${tags.slice(0, 20).join(", ")}${tags.length > 20 ? `, and ${tags.length - 20} more` : ""}`,
        cause: error,
      },
    );
  }
}

/** What the document says of itself counts more than the header, which some servers make up. */
function mediaTypeOf(response: HttpResponse, bytes: Buffer): string {
  try {
    const { mediaType } = JSON.parse(bytes.toString("utf8")) as { mediaType?: unknown };
    if (typeof mediaType === "string" && mediaType !== "") return mediaType;
  } catch {} // Whoever parses it says so.
  return String(response.headers["content-type"] ?? "")
    .split(";")[0]!
    .trim();
}
