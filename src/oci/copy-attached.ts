/**
 * Copies what is attached to content: signatures and statements under cosign's tags, and whatever refers to it (OCI Distribution
 * 1.1). All goes byte for byte; only where the target has a tag of cosign's with signatures of its own, both are kept in one.
 */
import { BootwrightError } from "../base/errors.ts";
import { isOciIndex, isOciManifest, type OciDescriptor } from "../formats/oci.ts";
import { parseOciContent } from "../formats/oci-content.ts";
import type { ContentSource, ContentTarget } from "./content.ts";
import { type CopyOptions, copyContent } from "./copy.ts";
import { type AttachedKind, type AttachmentPlace, attach, readAttached } from "./cosign.ts";
import type { Document } from "./manifests.ts";

export interface AttachedDocument {
  readonly document: Document;
  readonly subject: Document;
  /** cosign's; undefined for what refers to its subject. */
  readonly tag?: string;
  readonly kind?: AttachedKind;
}

/** What can be asked for attachments. */
export interface AttachmentSource {
  readonly source: ContentSource;
  readonly findTag: (tag: string) => Promise<Document | undefined>;
  readonly referrers: (hash: string) => Promise<readonly OciDescriptor[]>;
}

/** Signatures of statements of images: no more than that. */
const MAX_DEPTH = 3;
const MAX_FOUND = 1000;
const TAGS: readonly { readonly ending: string; readonly kind?: AttachedKind }[] = [
  { ending: "sig", kind: "signature" },
  { ending: "att", kind: "statement" },
  { ending: "sbom" },
];

/** Of a document, of the images that it lists, and of what was found itself. Throws LIMIT_EXCEEDED over 1000. */
export async function findAttached(root: Document, place: AttachmentSource): Promise<readonly AttachedDocument[]> {
  const found = new Map<string, AttachedDocument>();
  const look = async (subject: Document, depth: number): Promise<void> => {
    for (const one of await attachedTo(subject, place)) {
      const key = `${one.tag ?? ""}@${one.document.hash}`;
      if (found.has(key)) continue;
      if (found.size === MAX_FOUND)
        throw new BootwrightError(
          "LIMIT_EXCEEDED",
          `${place.source.label}: more than ${MAX_FOUND} things are attached`,
        );
      if (depth < MAX_DEPTH) await look(one.document, depth + 1);
      found.set(key, one); // Behind what is attached to it: whoever finds it finds all of it.
    }
  };
  const content = parseOciContent(root.bytes, root.mediaType, place.source.label);
  for (const inner of content.kind === "index" ? content.manifests : [])
    if (isOciIndex(inner) || isOciManifest(inner)) await look(await place.source.document(inner), 0);
  await look(root, 0);
  return [...found.values()];
}

async function attachedTo(subject: Document, place: AttachmentSource): Promise<readonly AttachedDocument[]> {
  const found: AttachedDocument[] = [];
  for (const { ending, kind } of TAGS) {
    const tag = `sha256-${subject.hash}.${ending}`;
    const document = await place.findTag(tag);
    if (document !== undefined) found.push({ document, subject, tag, ...(kind !== undefined && { kind }) });
  }
  for (const one of await place.referrers(subject.hash))
    found.push({ document: await place.source.document(one), subject });
  return found;
}

interface Targets {
  readonly to: ContentTarget;
  /** What is there already; undefined for what is written anew. */
  readonly there: AttachmentPlace | undefined;
}

/** Bytes that were sent. Throws what reading and writing throw. */
export async function copyAttached(
  attached: readonly AttachedDocument[],
  { from, to, there, ...options }: Omit<CopyOptions, "tag"> & Targets & { readonly from: AttachmentSource },
): Promise<number> {
  let sent = 0;
  for (const one of attached) {
    const { document, tag } = one;
    const old = tag === undefined ? undefined : await there?.findTag(tag);
    if (old !== undefined && old.hash !== document.hash) {
      if (one.kind !== undefined) await merge(one, one.kind, { from, there: there! });
      continue;
    }
    sent += (await copyContent(document, { ...options, from: from.source, to, tag })).sent;
  }
  return sent;
}

/** Signatures that only one of both places has. */
async function merge(
  { subject }: AttachedDocument,
  kind: AttachedKind,
  { from, there }: { from: AttachmentSource; there: AttachmentPlace },
): Promise<void> {
  const place = { source: from.source, target: there.target, findTag: from.findTag, referrers: undefined };
  const damaged = (error: unknown) => {
    throw error;
  };
  const others = await readAttached(place, { hash: subject.hash, kind, damaged });
  for (const one of others) await attach({ ...there, referrers: undefined }, subject, one);
}
