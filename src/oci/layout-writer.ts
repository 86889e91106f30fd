/**
 * Writes an OCI layout: into a directory, where other images may lie already, or as a tar of one, which is written from front to
 * end while the blobs come. A directory's index.json is switched last; a tar gets its name last.
 */
import fs from "node:fs";
import path from "node:path";
import { ChunkWriter } from "../base/chunk-writer.ts";
import { type Digest, digestOf } from "../base/digest.ts";
import { BootwrightError, ioError, isBootwrightError, systemCode } from "../base/errors.ts";
import { ensureDir, readIfExists, removeQuietly, temporaryName, writeFileAtomic } from "../base/fs.ts";
import type { FileEntry } from "../formats/filetree.ts";
import {
  encodeOciDocument,
  OCI_TYPES,
  type OciDescriptor,
  ociBlobPath,
  parseOciIndex,
  REF_NAME,
} from "../formats/oci.ts";
import { descriptorJson } from "../formats/oci-content.ts";
import { encodeTarEnd, encodeTarHeader } from "../formats/tar-writer.ts";
import { type BlobSource, bytesBlob, verified } from "./blob.ts";
import type { ContentTarget } from "./content.ts";
import type { Document } from "./manifests.ts";

/** Close it: only then is the layout whole. */
export interface LayoutTarget extends ContentTarget {
  finish(): Promise<void>;
  /** What was begun goes. */
  abandon(): Promise<void>;
}

const MARKER = Buffer.from('{"imageLayoutVersion":"1.0.0"}');

/** A layout that is there is added to; its entry of the same name is replaced. Throws EXISTS for a directory that is none. */
export function layoutDirectory(dir: string): LayoutTarget {
  const there = readIfExists(path.join(dir, "oci-layout"));
  if (there === undefined && fs.existsSync(dir) && (!fs.statSync(dir).isDirectory() || fs.readdirSync(dir).length > 0))
    throw new BootwrightError("EXISTS", `${dir} is there, and is no OCI layout`, { hint: "name another place" });
  const roots: OciDescriptor[] = [];
  const at = (digest: Pick<Digest, "hash">) => path.join(dir, ociBlobPath(digest));
  const has = ({ hash, size }: Digest) => fs.statSync(at({ hash }), { throwIfNoEntry: false })?.size === size;
  return {
    label: dir,
    hasDocument: async (digest) => has(digest),
    async putBlob(blob, progress) {
      if (has(blob)) return "present";
      await writeBlob(at(blob), { blob, progress });
      return "uploaded";
    },
    async putDocument(document, { tag, descriptor }) {
      if (!has(document))
        await writeBlob(at(document), { blob: bytesBlob(document, document.bytes), progress: () => {} });
      if (descriptor === undefined) roots.push(rootOf(document, tag));
    },
    async finish() {
      writeFileAtomic(path.join(dir, "oci-layout"), there ?? MARKER);
      const file = path.join(dir, "index.json");
      const index = readIfExists(file);
      const old = index === undefined ? [] : parseOciIndex(index, file);
      if (roots.length > 0) writeFileAtomic(file, encodeIndexFile(roots.reduce(replaced, old)));
    },
    abandon: async () => {},
  };
}

/** Throws EXISTS for a file that is there. */
export async function layoutArchive(file: string): Promise<LayoutTarget> {
  if (fs.existsSync(file)) throw new BootwrightError("EXISTS", `${file} is there`, { hint: "name another place" });
  ensureDir(path.dirname(file));
  const temporary = temporaryName(file);
  const handle = await fs.promises.open(temporary, "wx", 0o644).catch((error: unknown) => {
    throw ioError("write", file, error);
  });
  const writer = new ChunkWriter(handle, { open: 2 });
  const written = new Set<string>();
  const roots: OciDescriptor[] = [];
  let last: Promise<unknown> = Promise.resolve();
  /** One member after the other, whoever comes first. */
  const add = <T>(body: () => Promise<T>): Promise<T> => {
    const next = last.then(body, body);
    last = next.catch(() => {});
    return next;
  };
  const member = async (name: string, blob: BlobSource, progress: (done: number) => void = () => {}) => {
    const chunks = verified(blob.open(0), blob, name); // First, so that nothing is begun that cannot be read.
    await writer.write(encodeTarHeader(entryOf(name, blob)));
    let done = 0;
    for await (const chunk of chunks) {
      await writer.write(chunk);
      done += chunk.length;
      progress(done);
    }
    if (blob.size % 512 > 0) await writer.write(Buffer.alloc(512 - (blob.size % 512)));
  };
  const small = (name: string, bytes: Buffer) => member(name, bytesBlob(digestOf(bytes), bytes));
  const close = async () => {
    await last;
    await writer.settle();
    await handle.close();
  };
  const put = (blob: BlobSource, progress?: (done: number) => void): Promise<"present" | "uploaded"> => {
    if (written.has(blob.hash)) return Promise.resolve("present");
    written.add(blob.hash);
    return add(async () => {
      await guarded(file, () => member(ociBlobPath(blob), blob, progress));
      return "uploaded" as const;
    });
  };
  return {
    label: file,
    hasDocument: async ({ hash }) => written.has(hash),
    putBlob: put,
    async putDocument(document, { tag, descriptor }) {
      await put(bytesBlob(document, document.bytes));
      if (descriptor === undefined) roots.push(rootOf(document, tag));
    },
    async finish() {
      await add(() =>
        guarded(file, async () => {
          await small("index.json", encodeIndexFile(roots.reduce(replaced, [])));
          await small("oci-layout", MARKER);
          await writer.write(encodeTarEnd());
          await writer.end();
        }),
      );
      await close();
      fs.renameSync(temporary, file);
    },
    async abandon() {
      await close().catch(() => {});
      removeQuietly(temporary);
    },
  };
}

async function writeBlob(
  target: string,
  { blob, progress }: { blob: BlobSource; progress: (done: number) => void },
): Promise<void> {
  ensureDir(path.dirname(target));
  await writeVerified(target, { blob, progress, mode: 0o644 });
}

/** Whole and right, or not there at all. Throws DIGEST_MISMATCH, DISK_FULL, IO. */
export async function writeVerified(
  target: string,
  { blob, progress, mode }: { blob: BlobSource; progress: (done: number) => void; mode: number },
): Promise<void> {
  const temporary = temporaryName(target);
  try {
    await guarded(target, async () => {
      const handle = await fs.promises.open(temporary, "wx", mode);
      const writer = new ChunkWriter(handle, { open: 2 });
      try {
        let done = 0;
        for await (const chunk of verified(blob.open(0), blob, path.basename(target))) {
          await writer.write(chunk);
          done += chunk.length;
          progress(done);
        }
        await writer.end();
      } finally {
        await writer.settle();
        await handle.close();
      }
      fs.renameSync(temporary, target);
    });
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
}

/** System errors of writing get codes; others pass. */
async function guarded<T>(file: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (isBootwrightError(error) || systemCode(error) === undefined) throw error;
    throw ioError("write", file, error);
  }
}

const rootOf = ({ hash, size, mediaType }: Document, tag: string | undefined): OciDescriptor => ({
  mediaType,
  hash,
  size,
  annotations: new Map(tag === undefined ? [] : [[REF_NAME, tag]]),
});

/** A name leads to one image; the same image without a name is said once. */
const replaced = (old: readonly OciDescriptor[], root: OciDescriptor): readonly OciDescriptor[] => {
  const name = root.annotations.get(REF_NAME);
  return [
    ...old.filter((one) => one.annotations.get(REF_NAME) !== name || (name === undefined && one.hash !== root.hash)),
    root,
  ];
};

const encodeIndexFile = (manifests: readonly OciDescriptor[]): Buffer =>
  encodeOciDocument({ schemaVersion: 2, mediaType: OCI_TYPES.index, manifests: manifests.map(descriptorJson) });

const entryOf = (name: string, { hash, size }: Digest): FileEntry => ({
  type: "file",
  path: name,
  mode: 0o644,
  uid: 0,
  gid: 0,
  content: { hash, size },
});
