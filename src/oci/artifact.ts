/** Files as an artifact: one layer a file, its name in the layer's title, what it is in `artifactType`. */
import fs from "node:fs";
import path from "node:path";
import { type Digest, digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { safePath } from "../formats/filetree.ts";
import { OCI_TYPES, type OciDescriptor } from "../formats/oci.ts";
import { EMPTY_BYTES, encodeArtifact, type OciContent, TITLE } from "../formats/oci-content.ts";
import { hashFile } from "../store/blobs.ts";
import { bytesBlob, fileBlob } from "./blob.ts";
import type { ContentSource } from "./content.ts";
import { writeVerified } from "./layout-writer.ts";
import type { Document } from "./manifests.ts";

export interface LocalFile {
  readonly file: string;
  /** Path below the directory that it is pulled to. */
  readonly title: string;
  /** Where it is known already. */
  readonly digest?: Digest;
}

export interface LocalArtifact {
  readonly document: Document;
  readonly source: ContentSource;
}

/** Reads files without a digest once, to learn it. Throws PATH_MISSING, USAGE for two files of one name. */
export function localArtifact(
  files: readonly LocalFile[],
  { artifactType, annotations }: { artifactType: string; annotations: Readonly<Record<string, string>> },
): LocalArtifact {
  const known = files.map(({ file, title, digest }) => {
    if (!fs.existsSync(file)) throw new BootwrightError("PATH_MISSING", `${file} does not exist`);
    return { file, title, mediaType: mediaTypeOf(title), ...(digest ?? hashFile(file)) };
  });
  const twice = known.find(({ title }, i) => known.findIndex((one) => one.title === title) !== i);
  if (twice !== undefined)
    throw new BootwrightError("USAGE", `two files would be named ${twice.title} in the artifact`, {
      hint: "rename one, or push them apart",
    });
  const bytes = encodeArtifact({ artifactType, files: known, annotations });
  const document = { ...digestOf(bytes), mediaType: OCI_TYPES.manifest, bytes };
  const empty = digestOf(EMPTY_BYTES);
  const source: ContentSource = {
    label: known.map(({ title }) => title).join(", "),
    document: async () => document,
    blob: (digest) => {
      if (digest.hash === empty.hash) return bytesBlob(empty, EMPTY_BYTES);
      return fileBlob(digest, { file: known.find(({ hash }) => hash === digest.hash)!.file });
    },
  };
  return { document, source };
}

export interface PulledFile extends Digest {
  readonly file: string;
  /** It was there with these bytes. */
  readonly known: boolean;
}

/** Where each file of an artifact goes. Throws PATH_UNSAFE for a name that leaves the directory. */
export function artifactFiles(
  content: Extract<OciContent, { kind: "manifest" }>,
  label: string,
): readonly { readonly title: string; readonly descriptor: OciDescriptor }[] {
  const files = content.layers.map((descriptor) => {
    const title = descriptor.annotations.get(TITLE);
    return {
      descriptor,
      title: title === undefined ? `sha256-${descriptor.hash.slice(0, 12)}` : safePath(title, label),
    };
  });
  const odd = files.find(({ title }, i) => title === "" || files.findIndex((one) => one.title === title) !== i);
  if (odd !== undefined)
    throw new BootwrightError("FORMAT_INVALID", `${label}: two of its files are named ${JSON.stringify(odd.title)}`);
  return files;
}

/** A file that is there with other bytes is refused (EXISTS) unless `replace` is set. */
export async function pullFile(
  { title, descriptor }: { readonly title: string; readonly descriptor: OciDescriptor },
  {
    source,
    dir,
    replace,
    progress,
  }: { source: ContentSource; dir: string; replace: boolean; progress: (done: number) => void },
): Promise<PulledFile> {
  const file = path.join(dir, title);
  const { hash, size } = descriptor;
  const there = fs.statSync(file, { throwIfNoEntry: false });
  if (there !== undefined) {
    if (there.isFile() && there.size === size && hashFile(file).hash === hash) return { file, hash, size, known: true };
    if (!replace || !there.isFile())
      throw new BootwrightError("EXISTS", `${file} is there with other bytes`, {
        hint: "name another directory with --to, or replace it with --replace",
      });
  }
  fs.mkdirSync(path.dirname(file), { recursive: true });
  await writeVerified(file, { blob: source.blob(descriptor), progress, mode: 0o644 });
  return { file, hash, size, known: false };
}

const MEDIA_TYPES: Readonly<Record<string, string>> = {
  ".efi": "application/vnd.microsoft.portable-executable",
  ".gz": "application/gzip",
  ".iso": "application/vnd.efi.iso",
  ".json": "application/json",
  ".qcow2": "application/x-qemu-disk",
  ".tar": "application/x-tar",
  ".txt": "text/plain",
  ".zst": "application/zstd",
};

const mediaTypeOf = (title: string): string =>
  MEDIA_TYPES[path.extname(title).toLowerCase()] ?? "application/octet-stream";
