/**
 * The documents of an OCI image (image-spec 1.1): index, manifest, image config, layout. Docker's schema 2, which is the
 * same with other media types, is read too. Everything is named by descriptors: a digest and a size that are checked.
 */
import { type Digest, digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { canonicalJson, type Json } from "../base/json.ts";
import { JsonFields } from "./oci-json.ts";

export interface OciPlatform {
  readonly os: string;
  /** Go's name: amd64, arm64. */
  readonly architecture: string;
  readonly variant?: string;
}

/** The hash is SHA-256. */
export interface OciDescriptor extends Digest {
  readonly mediaType: string;
  readonly platform?: OciPlatform;
  /** Of what it names, where that is no image. */
  readonly artifactType?: string;
  readonly annotations: ReadonlyMap<string, string>;
}

export interface OciManifest {
  readonly config: OciDescriptor;
  /** The lowest first. */
  readonly layers: readonly OciDescriptor[];
}

export interface OciImageConfig extends OciPlatform {
  /** SHA-256 of each layer's uncompressed tar. */
  readonly diffIds: readonly string[];
}

export const OCI_TYPES = {
  index: "application/vnd.oci.image.index.v1+json",
  manifest: "application/vnd.oci.image.manifest.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  gzipLayer: "application/vnd.oci.image.layer.v1.tar+gzip",
} as const;

export const REF_NAME = "org.opencontainers.image.ref.name";

/** No document that is parsed may be larger; the specification asks registries for 4 MiB too. */
export const MAX_OCI_DOCUMENT = 4 * 1024 * 1024;

const MAX_MANIFESTS = 4096;
/** Far above what any engine can mount. */
const MAX_LAYERS = 1024;

const INDEXES = new Set<string>([OCI_TYPES.index, "application/vnd.docker.distribution.manifest.list.v2+json"]);
const MANIFESTS = new Set<string>([OCI_TYPES.manifest, "application/vnd.docker.distribution.manifest.v2+json"]);
const CONFIGS = new Set<string>([OCI_TYPES.config, "application/vnd.docker.container.image.v1+json"]);
const LAYER =
  /^application\/vnd\.(?:oci\.image\.layer(?:\.nondistributable)?\.v1\.tar(?:\+(?:gzip|zstd))?|docker\.image\.rootfs(?:\.foreign)?\.diff\.tar(?:\.(?:gzip|zstd))?)$/;

export const isOciIndex = ({ mediaType }: Pick<OciDescriptor, "mediaType">): boolean => INDEXES.has(mediaType);
export const isOciManifest = ({ mediaType }: Pick<OciDescriptor, "mediaType">): boolean => MANIFESTS.has(mediaType);

/** `oci-layout`, which says that a directory is one. Throws FORMAT_INVALID, UNSUPPORTED. */
export function parseOciLayout(bytes: Uint8Array, what: string): void {
  const version = JsonFields.parse(bytes, what).text("imageLayoutVersion");
  if (!/^1\.\d+\.\d+$/.test(version))
    throw new BootwrightError("UNSUPPORTED", `${what}: layout version ${version}; version 1 is supported`);
}

/** Throws FORMAT_INVALID, LIMIT_EXCEEDED, UNSUPPORTED. */
export function parseOciIndex(bytes: Uint8Array, what: string): readonly OciDescriptor[] {
  const fields = parseVersioned(bytes, what);
  const mediaType = fields.optionalText("mediaType");
  if (mediaType !== undefined && !INDEXES.has(mediaType)) throw fields.unexpected("mediaType", "that of an index");
  return fields.list("manifests", parseDescriptor, MAX_MANIFESTS);
}

/** Throws FORMAT_INVALID, LIMIT_EXCEEDED, and UNSUPPORTED for what is no file system image: charts, signatures, encrypted layers. */
export function parseOciManifest(bytes: Uint8Array, what: string): OciManifest {
  const fields = parseVersioned(bytes, what);
  const mediaType = fields.optionalText("mediaType");
  if (mediaType !== undefined && !MANIFESTS.has(mediaType)) throw fields.unexpected("mediaType", "that of a manifest");
  const config = parseDescriptor(fields.object("config"), `${what}: config`);
  if (!CONFIGS.has(config.mediaType))
    throw new BootwrightError("UNSUPPORTED", `${what}: this is no file system image, but ${config.mediaType}`);
  const layers = fields.list("layers", parseDescriptor, MAX_LAYERS);
  for (const [i, layer] of layers.entries())
    if (!LAYER.test(layer.mediaType))
      throw new BootwrightError("UNSUPPORTED", `${what}: layer ${i + 1} is of type ${layer.mediaType}`, {
        hint: "layers are tar archives, as they are or in gzip or zstd",
      });
  return { config, layers };
}

/** Throws FORMAT_INVALID, LIMIT_EXCEEDED, UNSUPPORTED. */
export function parseOciConfig(bytes: Uint8Array, what: string): OciImageConfig {
  checkOciDocumentSize({ size: bytes.length }, what);
  const fields = JsonFields.parse(bytes, what);
  const rootfs = fields.object("rootfs");
  if (rootfs.text("type") !== "layers") throw rootfs.unexpected("type", '"layers"');
  const diffIds = rootfs.list("diff_ids", (item, where) => parseDigest(item, where), MAX_LAYERS);
  return { ...parsePlatform(fields), diffIds };
}

/** Throws LIMIT_EXCEEDED for a document that is too large to be parsed. */
export function checkOciDocumentSize({ size }: Pick<Digest, "size">, what: string): void {
  if (size > MAX_OCI_DOCUMENT)
    throw new BootwrightError("LIMIT_EXCEEDED", `${what}: ${size} bytes; at most ${MAX_OCI_DOCUMENT} are read`);
}

/** Throws DIGEST_MISMATCH. */
export function verifyOciBlob(bytes: Uint8Array, { hash, size }: Digest, what: string): void {
  const got = digestOf(bytes);
  if (got.hash !== hash || got.size !== size)
    throw new BootwrightError(
      "DIGEST_MISMATCH",
      `${what}: expected sha256:${hash} (${size} bytes), got sha256:${got.hash} (${got.size} bytes)`,
    );
}

/** The place of a blob in a layout. */
export const ociBlobPath = ({ hash }: Pick<Digest, "hash">): string => `blobs/sha256/${hash}`;

export const describePlatform = ({ os, architecture, variant }: OciPlatform): string =>
  `${os}/${architecture}${variant === undefined ? "" : `/${variant}`}`;

/**
 * The image for a platform. Of several variants the lowest, which every machine of the architecture runs (no variant,
 * v1, v2, …; for arm64 v8 is the architecture itself). Throws UNSUPPORTED with what there is.
 */
export function choosePlatform<T extends { readonly platform: OciPlatform }>(
  images: readonly T[],
  wanted: OciPlatform,
  what: string,
): T {
  const fitting = images
    .filter(({ platform }) => platform.os === wanted.os && platform.architecture === wanted.architecture)
    .sort((a, b) => variantOrder(a.platform) - variantOrder(b.platform));
  if (fitting[0] !== undefined) return fitting[0];
  const there = [...new Set(images.map(({ platform }) => describePlatform(platform)))].sort().join(", ");
  throw new BootwrightError(
    "UNSUPPORTED",
    `${what}: no image for ${describePlatform(wanted)}; there is ${there || "none"}`,
    { hint: 'the project\'s `arch` decides: "x86_64" is amd64, "aarch64" is arm64' },
  );
}

const variantOrder = ({ variant }: OciPlatform): number => (variant === undefined ? 0 : Number(variant.slice(1)) || 99);

/** A document's bytes, the same for the same content. */
export const encodeOciDocument = (document: Json): Buffer => Buffer.from(canonicalJson(document));

function parseVersioned(bytes: Uint8Array, what: string): JsonFields {
  checkOciDocumentSize({ size: bytes.length }, what);
  const fields = JsonFields.parse(bytes, what);
  if (fields.count("schemaVersion") !== 2) throw fields.unexpected("schemaVersion", "2");
  return fields;
}

/** Throws FORMAT_INVALID, and UNSUPPORTED for a digest other than SHA-256. */
export function parseDescriptor(value: unknown, where: string): OciDescriptor {
  const fields = value instanceof JsonFields ? value : JsonFields.of(value, where);
  const platform = fields.optionalObject("platform");
  const artifactType = fields.optionalText("artifactType");
  return {
    mediaType: fields.text("mediaType"),
    hash: parseDigest(fields.text("digest"), where),
    size: fields.count("size"),
    ...(platform && { platform: parsePlatform(platform) }),
    ...(artifactType !== undefined && { artifactType }),
    annotations: fields.texts("annotations"),
  };
}

function parsePlatform(fields: JsonFields): OciPlatform {
  const variant = fields.optionalText("variant");
  return {
    os: fields.text("os"),
    architecture: fields.text("architecture"),
    ...(variant !== undefined && variant !== "" && { variant }),
  };
}

function parseDigest(value: unknown, where: string): string {
  const hash = typeof value === "string" ? /^sha256:([0-9a-f]{64})$/.exec(value)?.[1] : undefined;
  if (hash !== undefined) return hash;
  if (typeof value === "string" && /^sha(384|512):[0-9a-f]+$/.test(value))
    throw new BootwrightError("UNSUPPORTED", `${where}: a digest other than SHA-256`);
  throw new BootwrightError("FORMAT_INVALID", `${where}: expected a digest: sha256: and 64 lower-case hex digits`);
}
