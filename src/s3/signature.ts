/**
 * Signature Version 4, as S3 wants it ("Authenticating Requests (AWS Signature Version 4)" of the S3 API reference): in a
 * header for what we send, in the query for an address that is handed to others.
 */
import { createHmac } from "node:crypto";
import { digestOf } from "../base/digest.ts";

export interface S3Credentials {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly sessionToken?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expires?: number | undefined;
  /** For people: where they came from. Never the secret. */
  readonly from: string;
}

export interface UnsignedRequest {
  readonly method: string;
  /** `https://host[:port]/path`; path encoded as by `encodeKey`. */
  readonly address: string;
  readonly query: Readonly<Record<string, string>>;
  /** Lower-case names. All of them are signed. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface SigningOptions {
  readonly credentials: S3Credentials;
  readonly region: string;
  /** Milliseconds since the epoch, by the server's clock. */
  readonly now: number;
}

export interface SignedRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** What stands for the payload's digest where none is known beforehand. */
const UNSIGNED = "UNSIGNED-PAYLOAD";
const ALGORITHM = "AWS4-HMAC-SHA256";

/** With the headers that prove who asks. `payload`: SHA-256 of the body, in hex. */
export function signRequest(
  request: UnsignedRequest,
  { payload, ...options }: SigningOptions & { readonly payload: string },
): SignedRequest {
  const { credentials, now } = options;
  const headers: Record<string, string> = {
    ...request.headers,
    host: new URL(request.address).host,
    "x-amz-content-sha256": payload,
    "x-amz-date": timestamp(now),
    ...(credentials.sessionToken !== undefined && { "x-amz-security-token": credentials.sessionToken }),
  };
  const signature = signatureOf({ ...request, headers }, { ...options, payload });
  const proof = `${ALGORITHM} Credential=${credentials.accessKey}/${scope(options)}, SignedHeaders=${names(headers)}, Signature=${signature}`;
  return { url: urlOf(request.address, request.query), headers: { ...headers, authorization: proof } };
}

/** An address that works without credentials for `seconds` (at most a week). It is a secret for that long. */
export function presignUrl(
  request: UnsignedRequest,
  { seconds, ...options }: SigningOptions & { readonly seconds: number },
): string {
  const { credentials, now } = options;
  const headers = { ...request.headers, host: new URL(request.address).host };
  const query: Record<string, string> = {
    ...request.query,
    "X-Amz-Algorithm": ALGORITHM,
    "X-Amz-Credential": `${credentials.accessKey}/${scope(options)}`,
    "X-Amz-Date": timestamp(now),
    "X-Amz-Expires": String(seconds),
    "X-Amz-SignedHeaders": names(headers),
    ...(credentials.sessionToken !== undefined && { "X-Amz-Security-Token": credentials.sessionToken }),
  };
  const signature = signatureOf({ ...request, query, headers }, { ...options, payload: UNSIGNED });
  return urlOf(request.address, { ...query, "X-Amz-Signature": signature });
}

/** Of a path's part or a query's: everything but letters, digits and `-._~` (RFC 3986, 2.3). */
export const encodePart = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

/** An object's name as a path: slashes stay. */
export const encodeKey = (key: string): string => key.split("/").map(encodePart).join("/");

function signatureOf(request: UnsignedRequest, options: SigningOptions & { readonly payload: string }): string {
  const { credentials, region, now, payload } = options;
  const canonical = [
    request.method,
    new URL(request.address).pathname,
    canonicalQuery(request.query),
    ...sorted(request.headers).map(([name, value]) => `${name}:${value.trim().replace(/ +/g, " ")}`),
    "",
    names(request.headers),
    payload,
  ].join("\n");
  const text = [ALGORITHM, timestamp(now), scope(options), digestOf(canonical).hash].join("\n");
  const key = [date(now), region, "s3", "aws4_request"].reduce<Buffer | string>(
    (secret, part) => hmac(secret, part),
    `AWS4${credentials.secretKey}`,
  );
  return hmac(key, text).toString("hex");
}

const hmac = (key: Buffer | string, text: string): Buffer => createHmac("sha256", key).update(text).digest();

const scope = ({ region, now }: SigningOptions): string => `${date(now)}/${region}/s3/aws4_request`;

/** "20261126T235900Z" */
const timestamp = (now: number): string => `${new Date(now).toISOString().replace(/[-:]/g, "").slice(0, 15)}Z`;

const date = (now: number): string => timestamp(now).slice(0, 8);

const names = (headers: Readonly<Record<string, string>>): string =>
  sorted(headers)
    .map(([name]) => name)
    .join(";");

const canonicalQuery = (query: Readonly<Record<string, string>>): string =>
  sorted(Object.fromEntries(Object.entries(query).map(([name, value]) => [encodePart(name), encodePart(value)])))
    .map(([name, value]) => `${name}=${value}`)
    .join("&");

function urlOf(address: string, query: Readonly<Record<string, string>>): string {
  const text = canonicalQuery(query);
  return text === "" ? address : `${address}?${text}`;
}

/** By the bytes of the names, in whatever language the host sorts. */
const sorted = (map: Readonly<Record<string, string>>): [string, string][] =>
  Object.entries(map).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
