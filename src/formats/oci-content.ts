/**
 * Manifests of any kind, for those who carry content and do not run it: images, artifacts (image-spec 1.1, "Guidance for
 * Artifact Authors"), indexes. What must be a file system image is read by oci.ts.
 */
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import {
  checkOciDocumentSize,
  encodeOciDocument,
  isOciIndex,
  isOciManifest,
  OCI_TYPES,
  type OciDescriptor,
  parseDescriptor,
} from "./oci.ts";
import { JsonFields } from "./oci-json.ts";

export const DOCUMENT_TYPES = [
  OCI_TYPES.manifest,
  OCI_TYPES.index,
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
] as const;

export const EMPTY_TYPE = "application/vnd.oci.empty.v1+json";
/** The content of an empty descriptor. */
export const EMPTY_BYTES = Buffer.from("{}");
/** A file's name, in the annotations of its descriptor. */
export const TITLE = "org.opencontainers.image.title";

export type OciContent =
  | {
      readonly kind: "index";
      readonly manifests: readonly OciDescriptor[];
      readonly artifactType: string | undefined;
      readonly subject: OciDescriptor | undefined;
      readonly annotations: ReadonlyMap<string, string>;
    }
  | {
      readonly kind: "manifest";
      readonly config: OciDescriptor;
      readonly layers: readonly OciDescriptor[];
      /** What it is, when it is no container image. */
      readonly artifactType: string | undefined;
      readonly subject: OciDescriptor | undefined;
      readonly annotations: ReadonlyMap<string, string>;
    };

const MAX_PARTS = 4096;
const IMAGE_CONFIGS = new Set<string>([OCI_TYPES.config, "application/vnd.docker.container.image.v1+json"]);

/** Throws FORMAT_INVALID, LIMIT_EXCEEDED, and UNSUPPORTED for schema 1 and other types. */
export function parseOciContent(bytes: Uint8Array, mediaType: string, what: string): OciContent {
  checkOciDocumentSize({ size: bytes.length }, what);
  const fields = JsonFields.parse(bytes, what);
  if (fields.count("schemaVersion") !== 2)
    throw new BootwrightError(
      "UNSUPPORTED",
      `${what}: a manifest of schema ${fields.count("schemaVersion")}; schema 2 is read`,
    );
  const type = { mediaType: fields.optionalText("mediaType") ?? mediaType };
  const about = {
    artifactType: fields.optionalText("artifactType"),
    subject: optionalDescriptor(fields, "subject", what),
    annotations: fields.texts("annotations"),
  };
  if (isOciIndex(type))
    return { kind: "index", manifests: fields.list("manifests", parseDescriptor, MAX_PARTS), ...about };
  if (!isOciManifest(type))
    throw new BootwrightError("UNSUPPORTED", `${what}: of type ${type.mediaType || "(none)"}, which is no manifest`);
  const config = parseDescriptor(fields.object("config"), `${what}: config`);
  const layers = fields.list("layers", parseDescriptor, MAX_PARTS);
  const artifactType = about.artifactType ?? (IMAGE_CONFIGS.has(config.mediaType) ? undefined : config.mediaType);
  return { kind: "manifest", config, layers, ...about, artifactType };
}

/** Files below an artifact; each is a layer with its name. */
export interface ArtifactFile {
  readonly mediaType: string;
  readonly hash: string;
  readonly size: number;
  /** Path below the directory that the artifact is pulled to. */
  readonly title: string;
}

export interface Artifact {
  readonly artifactType: string;
  readonly files: readonly ArtifactFile[];
  readonly annotations: Readonly<Record<string, string>>;
}

/** The same bytes for the same files: no time is in it. */
export function encodeArtifact({ artifactType, files, annotations }: Artifact): Buffer {
  const empty = digestOf(EMPTY_BYTES);
  return encodeOciDocument({
    schemaVersion: 2,
    mediaType: OCI_TYPES.manifest,
    artifactType,
    config: { mediaType: EMPTY_TYPE, digest: `sha256:${empty.hash}`, size: empty.size },
    layers: files.map(({ mediaType, hash, size, title }) => ({
      mediaType,
      digest: `sha256:${hash}`,
      size,
      annotations: { [TITLE]: title },
    })),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  });
}

/** An index over manifests, in the order given. */
export function encodeIndex(manifests: readonly OciDescriptor[]): Buffer {
  return encodeOciDocument({ schemaVersion: 2, mediaType: OCI_TYPES.index, manifests: manifests.map(descriptorJson) });
}

/** As it stands in a document. */
export function descriptorJson({ mediaType, hash, size, platform, annotations, artifactType }: OciDescriptor) {
  return {
    mediaType,
    digest: `sha256:${hash}`,
    size,
    ...(artifactType !== undefined && { artifactType }),
    ...(platform !== undefined && { platform: { ...platform } }),
    ...(annotations.size > 0 && { annotations: Object.fromEntries(annotations) }),
  };
}

const optionalDescriptor = (fields: JsonFields, key: string, what: string): OciDescriptor | undefined =>
  fields.has(key) ? parseDescriptor(fields.object(key), `${what}: ${key}`) : undefined;
