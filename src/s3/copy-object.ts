/**
 * Copies within a bucket, by the server. One request copies at most 5 GiB (S3 API, CopyObject); what is larger is copied in
 * parts (UploadPartCopy).
 */
import { BootwrightError } from "../base/errors.ts";
import type { Bucket } from "./bucket.ts";
import { headObject, unquoted } from "./objects.ts";
import { encodeKey } from "./signature.ts";
import { endUpload } from "./unfinished-uploads.ts";
import { completeUpload, createUpload } from "./upload-file.ts";
import { parseXml, readXmlBody } from "./xml.ts";

const MAX_COPY = 5 * 1024 ** 3;
/** A server that copies bytes says nothing until it has all of a part. 10,000 of these are more than the largest object needs. */
const COPY_PART = 1024 ** 3;

interface Copy {
  readonly from: string;
  readonly to: string;
  /** Its metadata are new ones; a copy onto itself must have it. */
  readonly type?: string;
}

/** `most`: bytes that one request copies; `part`: of what is larger. Throws OBJECT_UNKNOWN when there is nothing to copy, OBJECT_REFUSED. */
export async function copyObject(
  bucket: Bucket,
  copy: Copy,
  { most = MAX_COPY, part = Math.min(most, COPY_PART) } = {},
): Promise<void> {
  const source = await headObject(bucket, copy.from);
  if (source === undefined || source.size <= most) return await copyAtOnce(bucket, copy);
  const { from, to } = copy;
  const id = await createUpload(bucket, to, copy.type);
  try {
    const etags: string[] = [];
    for (let at = 0; at < source.size; at += part)
      etags.push(
        await copyPart(bucket, {
          ...{ from, to, id, part: etags.length + 1, etag: source.etag },
          range: `bytes=${at}-${Math.min(at + part, source.size) - 1}`,
        }),
      );
    await completeUpload(bucket, { key: to, id, etags });
  } catch (error) {
    await endUpload(bucket, { key: to, id }).catch(() => {}); // Why the copy failed is what counts.
    throw error;
  }
  const there = await headObject(bucket, to);
  if (there?.size !== source.size)
    throw new BootwrightError(
      "OBJECT_REFUSED",
      `${bucket.label}/${to} has ${there?.size ?? "no"} bytes after a copy of ${source.size}`,
      { hint: "another program may write the same object" },
    );
}

async function copyAtOnce(bucket: Bucket, { from, to, type }: Copy): Promise<void> {
  const what = `copy ${bucket.label}/${from} to ${to}`;
  const own = type === undefined ? {} : { "x-amz-metadata-directive": "REPLACE", "content-type": type };
  const headers = { "x-amz-copy-source": sourceOf(bucket, from), ...own };
  const { response } = await bucket.send({ method: "PUT", key: to, what, headers });
  copiedEtag(bucket, { what, body: await readXmlBody(response) });
}

async function copyPart(
  bucket: Bucket,
  { from, to, id, part, range, etag }: Copy & { id: string; part: number; range: string; etag: string },
): Promise<string> {
  const what = `copy ${range} of ${bucket.label}/${from} to ${to}`;
  const { response } = await bucket.send({
    ...{ method: "PUT", key: to, what, query: { partNumber: String(part), uploadId: id } },
    headers: {
      "x-amz-copy-source": sourceOf(bucket, from),
      "x-amz-copy-source-range": range,
      // All parts are of the same object, though somebody writes another meanwhile.
      "x-amz-copy-source-if-match": `"${etag}"`,
    },
  });
  return copiedEtag(bucket, { what, body: await readXmlBody(response) });
}

const sourceOf = (bucket: Bucket, key: string): string => `/${bucket.label.slice(5)}/${encodeKey(key)}`;

/** A copy that fails on the way is told with status 200. */
function copiedEtag(bucket: Bucket, { what, body }: { what: string; body: string }): string {
  const document = parseXml(body, bucket.label);
  const etag = document.find("ETag")?.text();
  if (etag !== undefined) return unquoted(etag);
  throw new BootwrightError("OBJECT_REFUSED", `cannot ${what}`, {
    detail: `the server says: ${document.find("Error")?.text("Message") ?? "nothing"}`,
  });
}
