/**
 * A container image as one file: a tar of its OCI layout, which container tools read in place ("oci-archive:"). Its bytes follow from
 * the image's manifest or index alone, so who has the image from a registry makes the same file. Releases name such files by
 * digest: what is written here never changes. See docs/decisions/0038-published-containers.md.
 */
import { type Digest, digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import type { FileEntry } from "./filetree.ts";
import {
  encodeOciDocument,
  isOciIndex,
  isOciManifest,
  OCI_TYPES,
  type OciDescriptor,
  ociBlobPath,
  REF_NAME,
  verifyOciBlob,
} from "./oci.ts";
import { type OciContent, parseOciContent } from "./oci-content.ts";
import { encodeTarEnd, encodeTarHeader } from "./tar-writer.ts";

/** A manifest or an index. */
export interface OciDocument extends Digest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface OciArchive {
  readonly files: readonly ArchivedFile[];
  /** Of the archive. Bytes. */
  readonly size: number;
}

interface ArchivedFile extends Digest {
  readonly path: string;
  /** Of documents; other blobs come when they are written. */
  readonly bytes?: Uint8Array;
}

/** A registry keeps no such name, so it is the same for all. */
const TAG = "latest";
/** Indexes in indexes. */
const MAX_DEPTH = 4;
/** They are all in memory. Bytes. */
const MAX_DOCUMENTS = 32 * 1024 * 1024;

/** What a registry has under one digest: a container image, or an artifact of files. */
export const isContainerImage = ({ artifactType }: OciContent): boolean => artifactType === undefined;

/** What the archive holds. Throws what `read` throws, DIGEST_MISMATCH, FORMAT_INVALID, LIMIT_EXCEEDED. */
export async function listOciArchive(
  root: OciDocument,
  read: (descriptor: OciDescriptor) => Promise<Uint8Array>,
): Promise<OciArchive> {
  const blobs = new Map<string, ArchivedFile>();
  let total = 0;
  const add = ({ hash, size }: Digest, bytes?: Uint8Array) => {
    const path = ociBlobPath({ hash });
    if (bytes !== undefined || !blobs.has(path)) blobs.set(path, { path, hash, size, ...(bytes && { bytes }) });
  };
  const visit = async (document: OciDocument, depth: number): Promise<void> => {
    const what = `sha256:${document.hash.slice(0, 12)}`;
    total += document.size;
    if (depth > MAX_DEPTH || total > MAX_DOCUMENTS)
      throw new BootwrightError("LIMIT_EXCEEDED", `${what}: too many manifests for one image`);
    add(document, document.bytes);
    const content = parseOciContent(document.bytes, document.mediaType, what);
    if (content.kind === "manifest") {
      for (const blob of [content.config, ...content.layers]) add(blob);
      return;
    }
    for (const inner of content.manifests) {
      if (!isOciIndex(inner) && !isOciManifest(inner)) {
        add(inner);
        continue;
      }
      const bytes = await read(inner);
      verifyOciBlob(bytes, inner, `sha256:${inner.hash.slice(0, 12)}`);
      await visit({ ...inner, bytes }, depth + 1);
    }
  };
  await visit(root, 0);
  const files = [
    small("oci-layout", encodeOciDocument({ imageLayoutVersion: "1.0.0" })),
    small("index.json", encodeOciDocument(indexOf(root))),
    ...[...blobs.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),
  ];
  const size = files.reduce(
    (sum, file) => sum + headerOf(file).length + file.size + padding(file),
    encodeTarEnd().length,
  );
  return { files, size };
}

/** `blob` gives what is no document, and checks it. */
export async function* encodeOciArchive(
  { files }: OciArchive,
  blob: (digest: Digest) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  for (const file of files) {
    yield headerOf(file);
    if (file.bytes !== undefined) yield file.bytes;
    else yield* blob({ hash: file.hash, size: file.size });
    if (padding(file) > 0) yield Buffer.alloc(padding(file));
  }
  yield encodeTarEnd();
}

const small = (path: string, bytes: Uint8Array): ArchivedFile => ({ path, ...digestOf(bytes), bytes });

const indexOf = ({ mediaType, hash, size }: OciDocument) => ({
  schemaVersion: 2,
  mediaType: OCI_TYPES.index,
  manifests: [{ mediaType, digest: `sha256:${hash}`, size, annotations: { [REF_NAME]: TAG } }],
});

const padding = ({ size }: Digest): number => (512 - (size % 512)) % 512;

function headerOf({ path, hash, size }: ArchivedFile): Buffer {
  const entry: FileEntry = { type: "file", path, mode: 0o644, uid: 0, gid: 0, content: { hash, size } };
  return encodeTarHeader(entry);
}
