/**
 * Brings a file into a bucket: a small one in one request, a large one in parts, some at once. Parts of an upload that was
 * cut off are kept by the server, and the next upload of the object goes on with them.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { BootwrightError, hasCode } from "../base/errors.ts";
import { fileRange } from "../base/file-range.ts";
import { type Bucket, bytesPayload, type Payload } from "./bucket.ts";
import { headObject, putObject, unquoted } from "./objects.ts";
import { type UploadedPart, unfinishedUploads, uploadedParts } from "./unfinished-uploads.ts";
import { parseXml, readXmlBody } from "./xml.ts";

export interface LocalFile {
  readonly local: string;
  readonly size: number;
  /** Hex, of the whole file. */
  readonly sha256: string;
}

export interface UploadOptions {
  readonly type?: string;
  /** Bytes; a larger file goes in parts of this size. At least 5 MiB, S3's own bound. */
  readonly partSize?: number;
  readonly progress?: (done: number) => void;
}

const MIB = 1024 * 1024;
/** Parts of one upload. */
const AT_ONCE = 4;
/** S3: "Amazon S3 multipart upload limits". */
const MAX_PARTS = 10_000;
const MAX_SIZE = 5 * 1024 ** 4;

/** Checked by its size afterwards; each part's bytes are checked by the server. Throws LIMIT_EXCEEDED, OBJECT_REFUSED, and what requests throw. */
export async function uploadFile(
  bucket: Bucket,
  key: string,
  { file, ...options }: UploadOptions & { readonly file: LocalFile },
): Promise<void> {
  const { partSize = 16 * MIB } = options;
  if (file.size > MAX_SIZE)
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `${file.local} has ${file.size} bytes; an object has at most ${MAX_SIZE}`,
    );
  if (file.size <= partSize) {
    await putObject(bucket, key, {
      body: filePayload(file),
      ...(options.type !== undefined && { type: options.type }),
    });
    options.progress?.(file.size);
  } else
    await uploadParts(bucket, key, {
      file,
      ...options,
      partSize: Math.max(partSize, Math.ceil(file.size / MAX_PARTS / MIB) * MIB),
    });
  const there = await headObject(bucket, key);
  if (there?.size !== file.size)
    throw new BootwrightError(
      "OBJECT_REFUSED",
      `${bucket.label}/${key} has ${there === undefined ? "no" : there.size} bytes after an upload of ${file.size}`,
      { hint: "another program may write the same object" },
    );
}

function filePayload({ local, size, sha256 }: LocalFile): Payload {
  const open = async function* () {
    await using handle = await fs.promises.open(local, "r");
    yield* fileRange(handle, { name: local, from: 0, to: size });
  };
  return { size, sha256, open };
}

type PartOptions = UploadOptions & { readonly file: LocalFile; readonly partSize: number };

/** One that somebody ends while we go on with it is begun anew. */
async function uploadParts(bucket: Bucket, key: string, options: PartOptions): Promise<void> {
  const [found] = (await unfinishedUploads(bucket, key))
    .filter((one) => one.key === key)
    .sort((a, b) => b.begun - a.begun);
  if (found !== undefined)
    try {
      return await goOn(bucket, key, { ...options, id: found.id, kept: await uploadedParts(bucket, found) });
    } catch (error) {
      if (!hasCode(error, "OBJECT_UNKNOWN")) throw error;
    }
  await goOn(bucket, key, { ...options, id: await createUpload(bucket, key, options.type), kept: new Map() });
}

async function goOn(
  bucket: Bucket,
  key: string,
  { file, partSize, progress, id, kept }: PartOptions & { id: string; kept: ReadonlyMap<number, UploadedPart> },
): Promise<void> {
  const count = Math.ceil(file.size / partSize);
  const etags: string[] = new Array(count);
  const handle = await fs.promises.open(file.local, "r");
  let [next, done] = [0, 0];
  const worker = async (): Promise<void> => {
    while (next < count) {
      const part = next++;
      const from = part * partSize;
      const source = { name: file.local, from, to: Math.min(file.size, from + partSize) };
      etags[part] = await putPart(bucket, { key, id, part: part + 1, handle, source, kept: kept.get(part + 1) });
      done += source.to - from;
      progress?.(done);
    }
  };
  try {
    // All of them end before the file is closed; the first failure is told.
    const ended = await Promise.allSettled(Array.from({ length: Math.min(AT_ONCE, count) }, worker));
    const failed = ended.find((one) => one.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  } finally {
    await handle.close();
  }
  await completeUpload(bucket, { key, id, etags });
}

interface PutPartOptions {
  readonly key: string;
  readonly id: string;
  /** From 1. */
  readonly part: number;
  readonly handle: fs.promises.FileHandle;
  readonly source: Parameters<typeof fileRange>[1];
  readonly kept: UploadedPart | undefined;
}

/** A part is read twice, for its digest and to be sent, so that no part lies in memory, however large it is. */
async function putPart(bucket: Bucket, { key, id, part, handle, source, kept }: PutPartOptions): Promise<string> {
  const size = source.to - source.from;
  // The etag of a part that is not encrypted with the owner's key is its MD5; if it is something else, the part is sent again.
  if (kept?.size === size && kept.etag === (await digestOfRange(handle, source, "md5"))) return kept.etag;
  const body = { size, sha256: await digestOfRange(handle, source, "sha256"), open: () => fileRange(handle, source) };
  const { response } = await bucket.send({
    ...{ method: "PUT", key, query: { partNumber: String(part), uploadId: id }, body },
    what: `write part ${part} of ${bucket.label}/${key}`,
  });
  await response.body.dump();
  const etag = response.headers.etag;
  if (typeof etag !== "string")
    throw new BootwrightError("OBJECT_REFUSED", `${bucket.label}: part ${part} of ${key} was taken without an etag`);
  return unquoted(etag);
}

async function digestOfRange(
  handle: fs.promises.FileHandle,
  source: PutPartOptions["source"],
  algorithm: "md5" | "sha256",
): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of fileRange(handle, source)) hash.update(chunk);
  return hash.digest("hex");
}

export async function createUpload(bucket: Bucket, key: string, type = "application/octet-stream"): Promise<string> {
  const what = `begin an upload of ${bucket.label}/${key}`;
  const { response } = await bucket.send({
    method: "POST",
    key,
    query: { uploads: "" },
    headers: { "content-type": type },
    what,
  });
  return textOf(
    parseXml(await readXmlBody(response), bucket.label)
      .find("UploadId")
      ?.text(),
    what,
  );
}

export async function completeUpload(
  bucket: Bucket,
  { key, id, etags }: { key: string; id: string; etags: readonly string[] },
): Promise<void> {
  const what = `complete ${bucket.label}/${key}`;
  const parts = etags.map((etag, i) => `<Part><PartNumber>${i + 1}</PartNumber><ETag>"${etag}"</ETag></Part>`);
  const document = `<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${parts.join("")}</CompleteMultipartUpload>`;
  const { response } = await bucket.send({
    ...{ method: "POST", key, query: { uploadId: id }, body: bytesPayload(Buffer.from(document)), what },
    headers: { "content-type": "application/xml" },
  });
  // What fails while the server joins the parts is told with status 200.
  const answer = parseXml(await readXmlBody(response), bucket.label);
  if (answer.find("CompleteMultipartUploadResult") === undefined)
    throw new BootwrightError("OBJECT_REFUSED", `cannot ${what}`, {
      detail: `the server says: ${shownMessage(answer.find("Message")?.text())}`,
    });
}

const shownMessage = (message: string | undefined): string => message?.slice(0, 500) || "nothing";

function textOf(text: string | undefined, what: string): string {
  if (!text) throw new BootwrightError("FORMAT_INVALID", `cannot ${what}: the answer has no id`);
  return text;
}
