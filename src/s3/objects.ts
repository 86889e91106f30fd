/** Objects of a bucket: look, read, write, delete, list. */

import { download } from "../base/download.ts";
import { BootwrightError, hasCode } from "../base/errors.ts";
import type { HttpResponse } from "../base/http.ts";
import type { Answer, Bucket, Payload } from "./bucket.ts";
import { parseXml, readXmlBody } from "./xml.ts";

export interface ObjectInfo {
  readonly key: string;
  readonly size: number;
  /** Without its quotes. */
  readonly etag: string;
  /** Milliseconds since the epoch, by the server's clock. */
  readonly modified: number;
}

/** Undefined when there is none. */
export async function headObject(bucket: Bucket, key: string): Promise<ObjectInfo | undefined> {
  const what = `look at ${bucket.label}/${key}`;
  const { response } = await bucket.send({ method: "HEAD", key, what, accept: [404] });
  await response.body.dump();
  return response.status === 404 ? undefined : infoOf(key, response);
}

/** A small object, or undefined when there is none. Throws LIMIT_EXCEEDED over `maxSize` bytes. */
export async function getObject(
  bucket: Bucket,
  key: string,
  { maxSize }: { maxSize: number },
): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of readObject(bucket, key, { maxSize })) chunks.push(chunk);
  } catch (error) {
    if (hasCode(error, "OBJECT_UNKNOWN")) return undefined;
    throw error;
  }
  return Buffer.concat(chunks);
}

/**
 * An object's bytes from `from`, going on where a transfer broke. Throws OBJECT_UNKNOWN, LIMIT_EXCEEDED over `maxSize`, and what a
 * request throws. The caller checks the digest.
 */
export async function* readObject(
  bucket: Bucket,
  key: string,
  { maxSize, size, from }: { maxSize?: number; size?: number; from?: number } = {},
): AsyncGenerator<Uint8Array> {
  const what = `read ${bucket.label}/${key}`;
  let got = from ?? 0;
  const chunks = download(`${bucket.label}/${key}`, {
    ...{ signal: bucket.signal },
    ...(size !== undefined && { size }),
    ...(from !== undefined && { from }),
    open: async (_, { headers = {} }) => {
      const { response } = await bucket.send({ method: "GET", key, what, headers, accept: [416] });
      return response;
    },
  });
  for await (const chunk of chunks) {
    got += chunk.length;
    if (maxSize !== undefined && got > maxSize)
      throw new BootwrightError("LIMIT_EXCEEDED", `${bucket.label}/${key} is longer than ${maxSize} bytes`);
    yield chunk;
  }
}

export interface PutOptions {
  readonly type?: string;
  /** "no-cache" for what changes under one name. */
  readonly cacheControl?: string;
  /** Only where nothing is: If-None-Match, where the server has it. */
  readonly ifAbsent?: boolean;
}

/** 412 and 409 (somebody writes it at this moment) mean that something is there, 501 and 400 that the server has no conditions. */
export async function putObject(
  bucket: Bucket,
  key: string,
  { body, type = "application/octet-stream", cacheControl, ifAbsent = false }: PutOptions & { readonly body: Payload },
): Promise<Answer> {
  const answer = await bucket.send({
    ...{ method: "PUT", key, body, what: `write ${bucket.label}/${key}` },
    headers: {
      "content-type": type,
      ...(cacheControl !== undefined && { "cache-control": cacheControl }),
      ...(ifAbsent && { "if-none-match": "*" }),
    },
    accept: ifAbsent ? [409, 412, 501] : [],
  });
  await answer.response.body.dump();
  return answer;
}

/** What is not there is no error. */
export async function deleteObject(bucket: Bucket, key: string): Promise<void> {
  const { response } = await bucket.send({
    ...{ method: "DELETE", key, what: `delete ${bucket.label}/${key}` },
    accept: [404],
  });
  await response.body.dump();
}

/** In the order of their names' bytes, `page` of them at a time (S3: at most 1,000); not `deep`: those without a slash behind the prefix. */
export async function* listObjects(
  bucket: Bucket,
  prefix: string,
  { page: pageSize = 1000, deep = true } = {},
): AsyncGenerator<ObjectInfo> {
  let token: string | undefined;
  do {
    const what = `list ${bucket.label}/${prefix}`;
    const query = {
      ...{ "list-type": "2", "encoding-type": "url", prefix, "max-keys": String(pageSize) },
      ...(!deep && { delimiter: "/" }),
      ...(token !== undefined && { "continuation-token": token }),
    };
    const { response } = await bucket.send({ method: "GET", what, query });
    const page = parseXml(await readXmlBody(response), bucket.label).find("ListBucketResult");
    const decode = page?.text("EncodingType") === "url" ? decodeKey : (text: string) => text;
    for (const one of page?.all("Contents") ?? [])
      yield {
        key: decode(one.text("Key")),
        size: Number(one.text("Size")),
        etag: unquoted(one.text("ETag")),
        modified: Date.parse(one.text("LastModified")),
      };
    token = page?.text("IsTruncated") === "true" ? page.text("NextContinuationToken") : undefined;
  } while (token);
}

/** In a listing, a plus is a space. */
const decodeKey = (text: string): string => decodeURIComponent(text.replaceAll("+", " "));

export const unquoted = (etag: string): string => etag.replace(/^"|"$/g, "");

const infoOf = (key: string, { headers }: HttpResponse): ObjectInfo => ({
  key,
  size: Number(headers["content-length"]),
  etag: unquoted(String(headers.etag ?? "")),
  modified: Date.parse(String(headers["last-modified"] ?? "")),
});
