/** Uploads in parts that were begun and not completed: a server keeps them, and what was uploaded, until somebody ends them. */
import type { Bucket } from "./bucket.ts";
import { unquoted } from "./objects.ts";
import { parseXml, readXmlBody, type XmlElement } from "./xml.ts";

export interface UnfinishedUpload {
  readonly key: string;
  readonly id: string;
  /** Milliseconds since the epoch, by the server's clock. */
  readonly begun: number;
}

export interface UploadedPart {
  readonly size: number;
  /** Without its quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch, by the server's clock. */
  readonly modified: number;
}

/** Of all objects whose names begin so. */
export async function unfinishedUploads(bucket: Bucket, prefix: string): Promise<readonly UnfinishedUpload[]> {
  const what = `list uploads of ${bucket.label}/${prefix}`;
  const all: UnfinishedUpload[] = [];
  for (let marker: Readonly<Record<string, string>> | undefined = {}; marker !== undefined; ) {
    const { response } = await bucket.send({ method: "GET", query: { uploads: "", prefix, ...marker }, what });
    const page: XmlElement | undefined = parseXml(await readXmlBody(response), bucket.label).find(
      "ListMultipartUploadsResult",
    );
    for (const one of page?.all("Upload") ?? [])
      all.push({ key: one.text("Key"), id: one.text("UploadId"), begun: Date.parse(one.text("Initiated")) });
    const [key, id] = [page?.text("NextKeyMarker"), page?.text("NextUploadIdMarker")];
    const isCut = page?.text("IsTruncated") === "true" && key;
    marker = isCut ? { "key-marker": key, ...(id && { "upload-id-marker": id }) } : undefined;
  }
  return all;
}

/** By their numbers, from 1. Empty when the upload is gone. */
export async function uploadedParts(
  bucket: Bucket,
  { key, id }: Pick<UnfinishedUpload, "key" | "id">,
): Promise<ReadonlyMap<number, UploadedPart>> {
  const parts = new Map<number, UploadedPart>();
  let marker: string | undefined;
  do {
    const query = { uploadId: id, ...(marker !== undefined && { "part-number-marker": marker }) };
    const what = `list parts of ${bucket.label}/${key}`;
    const { response } = await bucket.send({ method: "GET", key, query, what, accept: [404] });
    const page = parseXml(await readXmlBody(response), bucket.label).find("ListPartsResult");
    for (const one of page?.all("Part") ?? [])
      parts.set(Number(one.text("PartNumber")), {
        size: Number(one.text("Size")),
        etag: unquoted(one.text("ETag")),
        modified: Date.parse(one.text("LastModified")),
      });
    marker = page?.text("IsTruncated") === "true" ? page.text("NextPartNumberMarker") : undefined;
  } while (marker);
  return parts;
}

/** What it has brought is forgotten. One that is gone is no error. */
export async function endUpload(bucket: Bucket, { key, id }: Pick<UnfinishedUpload, "key" | "id">): Promise<void> {
  const { response } = await bucket.send({
    ...{ method: "DELETE", key, query: { uploadId: id }, what: `end an upload of ${bucket.label}/${key}` },
    accept: [404],
  });
  await response.body.dump();
}
