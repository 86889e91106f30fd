/** A layout, as a directory or a tar of one, as a place to copy from: its documents of any kind, by tag or digest. */
import { type Digest, digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { isOciIndex, isOciManifest, OCI_TYPES, type OciDescriptor, ociBlobPath, REF_NAME } from "../formats/oci.ts";
import { encodeIndex, parseOciContent } from "../formats/oci-content.ts";
import { fileBlob, verified } from "./blob.ts";
import type { ContentSource } from "./content.ts";
import { type OciLayout, openOciLayout, placeOfBlob, readLayoutDocument, readLayoutIndex } from "./layout.ts";
import type { Document } from "./manifests.ts";

export interface LayoutSource extends ContentSource {
  /** By its name, or the only one. Throws NAME_UNKNOWN. */
  resolve(tag: string | undefined): Document;
  /** Whether it has a blob or document. */
  holds(hash: string): boolean;
  /** Of what index.json lists, that which has this as its subject. */
  referrers(hash: string): readonly OciDescriptor[];
  /** All that index.json lists. */
  readonly entries: readonly OciDescriptor[];
}

/** Throws PATH_MISSING, FORMAT_INVALID, UNSUPPORTED. */
export function openLayoutSource(label: string, file: string): LayoutSource {
  const layout = openOciLayout(label, file);
  const entries = readLayoutIndex(layout);
  const document = (descriptor: Pick<OciDescriptor, "hash" | "size" | "mediaType">): Document => {
    const what = `${label}: sha256:${descriptor.hash.slice(0, 12)}`;
    const bytes = readLayoutDocument(layout, descriptor, what);
    return { hash: descriptor.hash, size: bytes.length, mediaType: descriptor.mediaType, bytes };
  };
  const subjectOf = (descriptor: OciDescriptor): string | undefined => {
    if (!isOciManifest(descriptor)) return undefined;
    const { bytes, mediaType } = document(descriptor);
    return parseOciContent(bytes, mediaType, label).subject?.hash;
  };
  return {
    label,
    entries,
    holds: (hash) => layout.find(ociBlobPath({ hash })) !== undefined,
    resolve: (tag) => document(chooseEntry(entries, { tag, label, isReferrer: (one) => subjectOf(one) !== undefined })),
    referrers: (hash) => entries.filter((one) => subjectOf(one) === hash),
    document: async (descriptor) => document(descriptor),
    blob: (digest) => layoutBlob(layout, digest),
  };
}

/** Several images as one: what a registry shows as an image of several architectures. */
export function indexOf(descriptors: readonly OciDescriptor[]): Document {
  const bytes = encodeIndex(descriptors);
  return { ...digestOf(bytes), mediaType: OCI_TYPES.index, bytes };
}

/** Verified from its start; the registry verifies the rest. */
function layoutBlob(layout: OciLayout, digest: Digest) {
  const { file, offset } = placeOfBlob(layout, digest);
  const blob = fileBlob(digest, { file, offset });
  const what = `${layout.label}: blob sha256:${digest.hash.slice(0, 12)}`;
  return { ...blob, open: (from: number) => (from === 0 ? verified(blob.open(0), digest, what) : blob.open(from)) };
}

/** cosign's names for signatures and statements; see cosign.ts. */
const ATTACHED = /^sha256-[0-9a-f]{64}\.(sig|att|sbom)$/;

interface ChooseOptions {
  readonly tag: string | undefined;
  readonly label: string;
  readonly isReferrer: (one: OciDescriptor) => boolean;
}

function chooseEntry(entries: readonly OciDescriptor[], { tag, label, isReferrer }: ChooseOptions): OciDescriptor {
  const documents = entries.filter((one) => isOciIndex(one) || isOciManifest(one));
  // What is attached to an image is none itself.
  const images = documents.filter(({ annotations }) => !ATTACHED.test(annotations.get(REF_NAME) ?? ""));
  const several = tag === undefined && new Set(images.map(({ hash }) => hash)).size > 1;
  const named = several
    ? images.filter((one) => !isReferrer(one))
    : tag === undefined
      ? images
      : documents.filter(({ annotations }) => annotations.get(REF_NAME) === tag);
  const digests = new Set(named.map(({ hash }) => hash));
  if (digests.size === 1) return named[0]!;
  const tags = [...new Set(images.flatMap(({ annotations }) => annotations.get(REF_NAME) ?? []))];
  throw new BootwrightError(
    "NAME_UNKNOWN",
    digests.size === 0
      ? tag === undefined
        ? `${label} holds nothing`
        : `${label} holds nothing named ${JSON.stringify(tag)}`
      : `${label} holds several images; say which`,
    {
      hint:
        tags.length === 0
          ? "its images have no names"
          : `name one: oci:${label}:${tags[0]}; it has ${tags.slice(0, 20).join(", ")}`,
    },
  );
}
