/**
 * A local OCI image layout: a directory, or a tar of one (what `docker save` and `podman save --format oci-archive` write).
 * Looked at while planning: of a directory only the small documents are read; of a tar only the headers and these.
 */
import fs from "node:fs";
import path from "node:path";
import { BootwrightError, ioError } from "../base/errors.ts";
import { formatError } from "../formats/byte-reader.ts";
import { detectCompression } from "../formats/decompress.ts";
import { safePath } from "../formats/filetree.ts";
import {
  checkOciDocumentSize,
  choosePlatform,
  describePlatform,
  isOciIndex,
  isOciManifest,
  type OciDescriptor,
  type OciManifest,
  type OciPlatform,
  ociBlobPath,
  parseOciConfig,
  parseOciIndex,
  parseOciLayout,
  parseOciManifest,
  REF_NAME,
  verifyOciBlob,
} from "../formats/oci.ts";
import { parsePax } from "../formats/pax.ts";
import { isZeroBlock, parseTarHeader, TAR_BLOCK } from "../formats/tar-header.ts";

/** A file of the layout: a whole file on the host, or a part of the tar. */
interface Place {
  readonly file: string;
  readonly offset: number;
  readonly size: number;
}

export interface OciLayout {
  /** As the config names it; said in errors. */
  readonly label: string;
  /** The file whose change means another image. */
  readonly watch: string;
  /** Undefined when the layout has no such file. */
  find(name: string): Place | undefined;
}

/** What index.json lists. Throws FORMAT_INVALID, LIMIT_EXCEEDED. */
export function readLayoutIndex(layout: OciLayout): readonly OciDescriptor[] {
  const { label } = layout;
  const place = layout.find("index.json");
  if (place === undefined) throw new BootwrightError("FORMAT_INVALID", `${label}: the layout has no index.json`);
  const index = `${label}: index.json`;
  return parseOciIndex(readSmall(place, index), index);
}

/** Throws PATH_MISSING. */
export function placeOfBlob(layout: OciLayout, digest: Pick<OciDescriptor, "hash">): Place {
  const place = layout.find(ociBlobPath(digest));
  if (place === undefined) throw missingBlob(layout, digest);
  return place;
}

export interface OciImage {
  readonly manifest: OciManifest;
  readonly platform: OciPlatform;
  /** SHA-256 of each layer's uncompressed tar. */
  readonly diffIds: readonly string[];
}

/** Indexes in indexes: what a build tool makes has one, a layout of several images two. */
const MAX_DEPTH = 4;
const MAX_IMAGES = 4096;
/** Members of a tar that are looked at; a layout has a few for each layer. */
const MAX_MEMBERS = 100_000;

/** `file` is the absolute path. Throws PATH_MISSING, FORMAT_INVALID, UNSUPPORTED. */
export function openOciLayout(label: string, file: string): OciLayout {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) throw new BootwrightError("PATH_MISSING", `${file} does not exist`);
  const places = stat.isDirectory() ? undefined : tarMembers(label, file);
  const find = places === undefined ? (name: string) => hostPlace(file, name) : (name: string) => places.get(name);
  const layout = { label, watch: places === undefined ? path.join(label, "index.json") : label, find };
  const marker = find("oci-layout");
  if (marker === undefined)
    throw new BootwrightError("FORMAT_INVALID", `${label} is no OCI image layout: it has no file oci-layout`, {
      hint: "make one with: skopeo copy SOURCE oci:DIRECTORY:latest",
    });
  parseOciLayout(readSmall(marker, `${label}: oci-layout`), `${label}: oci-layout`);
  return layout;
}

/**
 * The image for a platform, by its name in the index (`org.opencontainers.image.ref.name`) or the only one. Throws
 * NAME_UNKNOWN, UNSUPPORTED, DIGEST_MISMATCH, FORMAT_INVALID.
 */
export function findOciImage(
  layout: OciLayout,
  { tag, platform }: { tag: string | undefined; platform: OciPlatform },
): OciImage {
  const { label } = layout;
  const chosen = byTag(readLayoutIndex(layout), { tag, label });
  const images = chosen.flatMap((descriptor) => imagesOf(layout, { descriptor, depth: 0 }));
  if (images.length > MAX_IMAGES)
    throw new BootwrightError("LIMIT_EXCEEDED", `${label}: ${images.length} images; at most ${MAX_IMAGES} are read`);
  const candidates = images.map((descriptor) => described(layout, descriptor));
  const found = choosePlatform(candidates, platform, label);
  const same = candidates.filter((one) => describePlatform(one.platform) === describePlatform(found.platform));
  if (new Set(same.map(({ descriptor }) => descriptor.hash)).size > 1)
    throw new BootwrightError("NAME_UNKNOWN", `${label} holds several images for ${describePlatform(platform)}`, {
      hint: tagsHint(chosen),
    });
  return readImage(layout, found.descriptor);
}

/** The bytes of a blob, in chunks; the caller verifies them. Throws PATH_MISSING. */
export function* readOciBlob(layout: OciLayout, blob: OciDescriptor): Generator<Uint8Array> {
  yield* readPlace(placeOfBlob(layout, blob));
}

function byTag(
  manifests: readonly OciDescriptor[],
  { tag, label }: { tag: string | undefined; label: string },
): readonly OciDescriptor[] {
  if (tag === undefined) return manifests;
  const found = manifests.filter((descriptor) => descriptor.annotations.get(REF_NAME) === tag);
  if (found.length === 0)
    throw new BootwrightError("NAME_UNKNOWN", `${label} has no image named ${JSON.stringify(tag)}`, {
      hint: tagsHint(manifests),
    });
  return found;
}

function tagsHint(manifests: readonly OciDescriptor[]): string {
  const tags = [...new Set(manifests.flatMap(({ annotations }) => annotations.get(REF_NAME) ?? []))];
  return tags.length === 0 ? "its images have no names" : `name one with \`tag\`: ${tags.slice(0, 20).join(", ")}`;
}

/** An index's images, without attestations about them, which have a platform that no machine is of. */
function imagesOf(
  layout: OciLayout,
  { descriptor, depth }: { descriptor: OciDescriptor; depth: number },
): readonly OciDescriptor[] {
  if (isOciManifest(descriptor)) {
    const attests = descriptor.annotations.has("vnd.docker.reference.type");
    return attests || descriptor.platform?.os === "unknown" ? [] : [descriptor];
  }
  if (!isOciIndex(descriptor)) return [];
  if (depth === MAX_DEPTH)
    throw new BootwrightError("LIMIT_EXCEEDED", `${layout.label}: indexes lie more than ${MAX_DEPTH} deep`);
  const what = `${layout.label}: index sha256:${descriptor.hash.slice(0, 12)}`;
  const inner = parseOciIndex(readLayoutDocument(layout, descriptor, what), what);
  return inner.flatMap((one) => imagesOf(layout, { descriptor: one, depth: depth + 1 }));
}

/** Where the index does not say the platform, the image's own config does. */
function described(layout: OciLayout, descriptor: OciDescriptor): { descriptor: OciDescriptor; platform: OciPlatform } {
  return { descriptor, platform: descriptor.platform ?? readImage(layout, descriptor).platform };
}

function readImage(layout: OciLayout, descriptor: OciDescriptor): OciImage {
  const what = `${layout.label}: manifest sha256:${descriptor.hash.slice(0, 12)}`;
  const manifest = parseOciManifest(readLayoutDocument(layout, descriptor, what), what);
  const whatConfig = `${layout.label}: config sha256:${manifest.config.hash.slice(0, 12)}`;
  const { diffIds, ...platform } = parseOciConfig(readLayoutDocument(layout, manifest.config, whatConfig), whatConfig);
  if (diffIds.length !== manifest.layers.length)
    throw new BootwrightError(
      "FORMAT_INVALID",
      `${what}: ${manifest.layers.length} layers, but its config has ${diffIds.length} diff_ids`,
    );
  return { manifest, platform, diffIds };
}

/** A manifest, an index or a config; verified. Throws PATH_MISSING, DIGEST_MISMATCH, LIMIT_EXCEEDED. */
export function readLayoutDocument(
  layout: OciLayout,
  descriptor: Pick<OciDescriptor, "hash" | "size">,
  what: string,
): Buffer {
  checkOciDocumentSize(descriptor, what);
  const bytes = readSmall(placeOfBlob(layout, descriptor), what);
  verifyOciBlob(bytes, descriptor, what);
  return bytes;
}

const missingBlob = ({ label }: OciLayout, { hash }: Pick<OciDescriptor, "hash">) =>
  new BootwrightError("PATH_MISSING", `${label}: the layout does not hold ${ociBlobPath({ hash })}`, {
    hint: "the layout is not whole: copy it again",
  });

function hostPlace(dir: string, name: string): Place | undefined {
  const file = path.join(dir, name);
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  return stat?.isFile() ? { file, offset: 0, size: stat.size } : undefined;
}

function readSmall(place: Place, what: string): Buffer {
  checkOciDocumentSize(place, what);
  return Buffer.concat([...readPlace(place)]);
}

function* readPlace({ file, offset, size }: Place): Generator<Uint8Array> {
  const fd = open(file);
  try {
    for (let at = 0; at < size; ) {
      const chunk = Buffer.allocUnsafe(Math.min(1024 * 1024, size - at));
      const got = fs.readSync(fd, chunk, 0, chunk.length, offset + at);
      if (got === 0) return; // Shorter than it was: the digest will tell.
      yield chunk.subarray(0, got);
      at += got;
    }
  } finally {
    fs.closeSync(fd);
  }
}

function open(file: string): number {
  try {
    return fs.openSync(file, "r");
  } catch (error) {
    throw ioError("read", file, error);
  }
}

/** Plain files of a tar by name, contents skipped. Layouts have short names: of extended headers only sizes over 8 GiB are read. */
function tarMembers(label: string, file: string): ReadonlyMap<string, Place> {
  const fd = open(file);
  try {
    const members = new Map<string, Place>();
    const end = fs.fstatSync(fd).size;
    const block = Buffer.alloc(TAR_BLOCK);
    let large: number | undefined;
    for (let at = 0, count = 0; at + TAR_BLOCK <= end; count++) {
      fs.readSync(fd, block, 0, TAR_BLOCK, at);
      if (at === 0 && detectCompression(block) !== "none")
        throw new BootwrightError("UNSUPPORTED", `${label}: a compressed tar cannot be read as a layout in place`, {
          hint: "unpack it into a directory, or decompress it",
        });
      if (isZeroBlock(block)) break;
      if (count === MAX_MEMBERS)
        throw new BootwrightError("LIMIT_EXCEEDED", `${label}: more than ${MAX_MEMBERS} files in the tar of a layout`);
      const { typeflag, name, ...header } = parseTarHeader(block, at);
      const size = large ?? header.size;
      large = undefined;
      if (size < 0 || at + TAR_BLOCK + size > end)
        throw new BootwrightError("FORMAT_INVALID", `${label}: offset ${at}: the archive is cut off`);
      const place = { file, offset: at + TAR_BLOCK, size };
      if (typeflag === "0" || typeflag === "\0") members.set(safePath(name, label), place);
      if (typeflag === "x") large = paxSize(readSmall(place, label), place.offset);
      at += TAR_BLOCK + Math.ceil(size / TAR_BLOCK) * TAR_BLOCK;
    }
    return members;
  } finally {
    fs.closeSync(fd);
  }
}

function paxSize(bytes: Uint8Array, at: number): number | undefined {
  const record = parsePax(bytes, at).findLast(({ key }) => key === "size");
  if (record === undefined) return undefined;
  const text = Buffer.from(record.value).toString("latin1");
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw formatError("pax header", at, "a size");
}
