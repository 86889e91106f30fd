/**
 * Signatures and statements beside what they are about, as cosign lays them out (sigstore's SIGNATURE_SPEC): a manifest under
 * the tag `sha256-HEX.sig` or `sha256-HEX.att`, one layer each; and in a registry also as referrers of the subject (OCI
 * Distribution 1.1), so that clients of either kind find them, and registries copy and collect them with their subject.
 */
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { encodeOciDocument, OCI_TYPES, type OciDescriptor } from "../formats/oci.ts";
import { descriptorJson, parseOciContent } from "../formats/oci-content.ts";
import { COSIGN_SIGNATURE, SIMPLE_SIGNING_TYPE } from "../formats/simple-signing.ts";
import { bytesBlob } from "./blob.ts";
import type { ContentSource, ContentTarget } from "./content.ts";
import type { Document } from "./manifests.ts";

export type AttachedKind = "signature" | "statement";

/** One signature with what it signs, or one envelope. */
export interface Attached {
  readonly kind: AttachedKind;
  readonly bytes: Buffer;
  /** Base64; of a signature. */
  readonly signature: string;
}

export interface NewAttached extends Attached {
  /** Of a statement. */
  readonly predicateType?: string;
}

/** A repository of a registry, or a layout. */
export interface AttachmentPlace {
  readonly source: ContentSource;
  readonly target: ContentTarget;
  /** Undefined when there is no such tag. */
  readonly findTag: (tag: string) => Promise<Document | undefined>;
  /** Undefined where nothing refers: in a layout. */
  readonly referrers: ((hash: string) => Promise<readonly OciDescriptor[]>) | undefined;
}

/** Bytes of a signature's payload, or of an envelope. */
const MAX_ATTACHED = 64 * 1024 * 1024;
/** Of each way: more is not looked at. */
const MAX_LAYERS = 256;
const ENVELOPE_TYPE = "application/vnd.dsse.envelope.v1+json";
const LAYER_TYPES: Readonly<Record<AttachedKind, string>> = {
  signature: SIMPLE_SIGNING_TYPE,
  statement: ENVELOPE_TYPE,
};
/** What cosign looks for, and what stands in for it of statements. */
const REFERRER_TYPES: Readonly<Record<AttachedKind, string>> = {
  signature: "application/vnd.dev.cosign.artifact.sig.v1+json",
  statement: ENVELOPE_TYPE,
};
const ENDINGS: Readonly<Record<AttachedKind, string>> = { signature: "sig", statement: "att" };
const TRIES = 5;

const tagOf = (hash: string, kind: AttachedKind): string => `sha256-${hash}.${ENDINGS[kind]}`;

/** All that is attached, by both ways, each once. What is damaged is given to `damaged`, and passed over. */
export async function readAttached(
  place: AttachmentPlace,
  { hash, kind, damaged }: { hash: string; kind: AttachedKind; damaged: (error: unknown) => void },
): Promise<readonly Attached[]> {
  const documents: Document[] = [];
  const tagged = await place.findTag(tagOf(hash, kind));
  if (tagged !== undefined) documents.push(tagged);
  for (const one of (await place.referrers?.(hash)) ?? [])
    if (one.artifactType === REFERRER_TYPES[kind]) documents.push(await place.source.document(one));
  const found = new Map<string, Attached>();
  for (const document of documents)
    for (const layer of layersOf(document, { kind, label: place.source.label, damaged }))
      try {
        const signature = layer.annotations.get(COSIGN_SIGNATURE) ?? "";
        const key = `${layer.hash} ${signature}`;
        if (!found.has(key)) found.set(key, { kind, bytes: await readLayer(place.source, layer), signature });
      } catch (error) {
        damaged(error);
      }
  return [...found.values()];
}

/** Beside what is attached already. Throws what the registry refuses, also when others attach all the time. */
export async function attach(place: AttachmentPlace, subject: Document, added: NewAttached): Promise<void> {
  const { kind, bytes, predicateType } = added;
  const layer = layerOf(added);
  await place.target.putBlob(bytesBlob(layer, bytes), () => {});
  if (place.referrers !== undefined) {
    const mediaType = REFERRER_TYPES[kind];
    const annotations = predicateType === undefined ? {} : { predicateType };
    await putManifest(place, [layer], { subject, artifactType: mediaType, annotations });
  }
  const tag = tagOf(subject.hash, kind);
  const ignore = { kind, label: place.source.label, damaged: () => {} };
  for (let attempt = 0; attempt <= TRIES; attempt++) {
    const there = await place.findTag(tag);
    const old = there === undefined ? [] : layersOf(there, ignore);
    if (old.some((one) => isSame(one, layer))) return; // Looked at after it was put, too: another may have put at once.
    await putManifest(place, [...old, layer], { tag });
  }
  throw new BootwrightError("REGISTRY_REFUSED", `${place.source.label}: ${tag} does not keep what is put there`, {
    hint: "others may write it at the same time; try again",
  });
}

async function putManifest(
  { target }: AttachmentPlace,
  layers: readonly OciDescriptor[],
  { tag, subject, artifactType, annotations = {} }: ManifestOptions,
): Promise<void> {
  const config = encodeOciDocument({
    ...{ architecture: "", os: "", config: {}, created: NO_TIME },
    rootfs: { type: "layers", diff_ids: layers.map(({ hash }) => `sha256:${hash}`) },
  });
  const descriptor = { ...digestOf(config), mediaType: artifactType ?? OCI_TYPES.config, annotations: new Map() };
  await target.putBlob(bytesBlob(descriptor, config), () => {});
  const bytes = encodeOciDocument({
    ...{ schemaVersion: 2, mediaType: OCI_TYPES.manifest },
    ...(artifactType !== undefined && { artifactType }),
    config: descriptorJson(descriptor),
    layers: layers.map(descriptorJson),
    ...(subject !== undefined && { subject: descriptorJson({ ...subject, annotations: new Map() }) }),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  });
  await target.putDocument({ ...digestOf(bytes), mediaType: OCI_TYPES.manifest, bytes }, { tag });
}

interface ManifestOptions {
  readonly tag?: string;
  readonly subject?: Document;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

const NO_TIME = "0001-01-01T00:00:00Z";

const layerOf = ({ kind, bytes, signature, predicateType }: NewAttached): OciDescriptor => ({
  ...digestOf(bytes),
  mediaType: LAYER_TYPES[kind],
  annotations: new Map([
    [COSIGN_SIGNATURE, signature],
    ...(predicateType === undefined ? [] : [["predicateType", predicateType] as const]),
  ]),
});

const isSame = (a: OciDescriptor, b: OciDescriptor): boolean =>
  a.hash === b.hash && a.annotations.get(COSIGN_SIGNATURE) === b.annotations.get(COSIGN_SIGNATURE);

function layersOf(
  { bytes, mediaType }: Document,
  { kind, label, damaged }: { kind: AttachedKind; label: string; damaged: (error: unknown) => void },
): readonly OciDescriptor[] {
  try {
    const content = parseOciContent(bytes, mediaType, label);
    const layers = content.kind === "manifest" ? content.layers : [];
    return layers.filter((one) => one.mediaType === LAYER_TYPES[kind]).slice(0, MAX_LAYERS);
  } catch (error) {
    damaged(error);
    return [];
  }
}

async function readLayer(source: ContentSource, { hash, size }: OciDescriptor): Promise<Buffer> {
  if (size > MAX_ATTACHED)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `${source.label}: ${size} bytes attached; at most ${MAX_ATTACHED} are read`,
    );
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.blob({ hash, size }).open(0)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
