/**
 * The one door to the network: requests with redirects and limits, and downloads that go on where they broke.
 * undici is loaded only when a socket is needed.
 */
import fs from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { fileURLToPath } from "node:url";
import { systemClock } from "./clock.ts";
import { BootwrightError, hasCode, ioError, messageOf } from "./errors.ts";
import { type Emit, silent } from "./events.ts";

export interface HttpOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: "GET" | "HEAD";
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: AsyncIterable<Uint8Array> & { dump(): Promise<void> };
}

const MAX_REDIRECTS = 10;
/** Silence after which a connection counts as dead, in milliseconds. */
export const STALL_MS = 30_000;

/** Bytes that an attempt must bring to start the count of attempts anew: a server that drops after each byte must not hold us for ever. */
const PROGRESS = 256 * 1024;

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly emit?: Emit;
  readonly attempts?: number;
  /** Bytes; a longer body is refused while it streams. */
  readonly maxSize?: number;
  readonly stallMs?: number;
  /** First wait between attempts; doubles each time. */
  readonly backoffMs?: number;
}

/**
 * The bytes of an http(s) or file URL. A broken, stalled or refused (429, 5xx) transfer is tried again from where it
 * stopped. Throws NETWORK, HTTP_STATUS, or IO/PATH_MISSING for a file. The caller checks the digest.
 */
export async function* download(url: string, options: DownloadOptions = {}): AsyncGenerator<Uint8Array> {
  if (url.startsWith("file:")) return yield* readFileUrl(url);
  const { signal, emit = silent, attempts = 5, maxSize = Number.MAX_SAFE_INTEGER, backoffMs = 500 } = options;
  let offset = 0;
  let validator: string | undefined;
  let total: number | undefined;
  for (let attempt = 1; ; attempt++) {
    const before = offset;
    try {
      const response = await request(url, { signal, headers: rangeHeaders(offset, validator) }, options.stallMs);
      let skip = startOf(response, offset);
      if (offset > 0) requireSameBody(url, { response, validator, total });
      validator ??= validatorOf(response);
      total ??= totalOf(response);
      for await (const chunk of response.body) {
        const wanted = skip >= chunk.length ? undefined : skip === 0 ? chunk : chunk.subarray(skip);
        skip = Math.max(0, skip - chunk.length);
        if (wanted === undefined) continue;
        offset += wanted.length;
        if (offset > maxSize)
          throw new BootwrightError("DIGEST_MISMATCH", `${url}: longer than the expected ${maxSize} bytes`);
        yield wanted;
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (offset > 0 && error instanceof HttpStatusError && error.status === 416 && error.total === offset) return;
      if (offset - before >= PROGRESS) attempt = 1; // It moves: only (nearly) standing still counts.
      if (!isTransient(error) || attempt >= attempts) throw networkError(url, error);
      const waitMs = Math.max(backoffMs * 2 ** (attempt - 1), retryAfter(error));
      emit({ type: "retry", what: url, attempt, reason: messageOf(error), waitMs });
      await systemClock.sleep(waitMs, signal);
    }
  }
}

/** One request, redirects followed (credentials stay with their origin). Throws HTTP_STATUS for 4xx and 5xx. */
export async function request(url: string, options: HttpOptions = {}, stallMs = STALL_MS): Promise<HttpResponse> {
  const undici = await import("undici");
  let at = new URL(url);
  let headers: Record<string, string> = { "user-agent": "bootwright", ...options.headers };
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const {
      statusCode,
      headers: received,
      body,
    } = await undici.request(at, {
      method: options.method ?? "GET",
      headers,
      signal: options.signal ?? null,
      headersTimeout: stallMs,
      bodyTimeout: stallMs,
      dispatcher: agent(undici),
    });
    const location = received.location;
    if (statusCode >= 300 && statusCode < 400 && typeof location === "string") {
      await body.dump();
      const next = new URL(location, at);
      if (next.protocol !== "http:" && next.protocol !== "https:")
        throw new BootwrightError("NETWORK", `${url}: redirects to ${next.protocol}`);
      if (at.protocol === "https:" && next.protocol === "http:")
        throw new BootwrightError("NETWORK", `${url}: redirects from https to http`);
      if (next.origin !== at.origin) headers = withoutCredentials(headers);
      at = next;
      continue;
    }
    if (statusCode >= 400) {
      await body.dump();
      throw new HttpStatusError(at.href, statusCode, received);
    }
    return { status: statusCode, url: at.href, headers: received, body };
  }
  throw new BootwrightError("NETWORK", `${url}: more than ${MAX_REDIRECTS} redirects`);
}

export class HttpStatusError extends BootwrightError {
  readonly status: number;
  readonly retryAfterSeconds: number;
  /** With 416: how long the body is. */
  readonly total: number | undefined;

  constructor(url: string, status: number, headers: IncomingHttpHeaders = {}) {
    super("HTTP_STATUS", `${url}: the server answered ${status}`);
    this.status = status;
    this.retryAfterSeconds = Number(headers["retry-after"]) || 0;
    this.total = rangeTotal(headers);
  }
}

let shared: import("undici").Dispatcher | undefined;

/** Honours http_proxy, https_proxy and no_proxy; one pool for the process. */
function agent(undici: typeof import("undici")): import("undici").Dispatcher {
  shared ??= new undici.EnvHttpProxyAgent({ connect: { timeout: 15_000 } });
  return shared;
}

/** Lets the process end: idle connections would hold it. */
export async function closeConnections(): Promise<void> {
  await shared?.destroy();
  shared = undefined;
}

function rangeHeaders(offset: number, validator: string | undefined): Record<string, string> {
  if (offset === 0) return {};
  return { range: `bytes=${offset}-`, ...(validator !== undefined && { "if-range": validator }) };
}

/** How many bytes of this body we have already: servers may ignore the range and send all. */
function startOf(response: HttpResponse, offset: number): number {
  if (offset === 0) return 0;
  if (response.status === 200) return offset;
  const start = /^bytes (\d+)-/.exec(String(response.headers["content-range"] ?? ""))?.[1];
  if (response.status !== 206 || Number(start) > offset || start === undefined)
    throw new Error(`the server sent another range than bytes ${offset}-`);
  return offset - Number(start);
}

/**
 * What was handed on cannot be taken back: when the server's file has changed meanwhile, its rest does not belong to it.
 * Who knows the digest would notice; who asks for a file to learn its digest would not.
 */
function requireSameBody(
  url: string,
  { response, validator, total }: { response: HttpResponse; validator: string | undefined; total: number | undefined },
): void {
  const [newValidator, newTotal] = [validatorOf(response), totalOf(response)];
  const changed =
    (validator !== undefined && newValidator !== undefined && newValidator !== validator) ||
    (total !== undefined && newTotal !== undefined && newTotal !== total);
  if (changed)
    throw new BootwrightError("NETWORK", `${url} changed on the server while it was downloaded`, { hint: "try again" });
}

/** Bytes of the whole body, where the server says so. */
function totalOf({ status, headers }: HttpResponse): number | undefined {
  if (status === 206) return rangeTotal(headers);
  return headers["content-length"] === undefined ? undefined : Number(headers["content-length"]);
}

/** `bytes 5-9/10` says 10. */
function rangeTotal(headers: IncomingHttpHeaders): number | undefined {
  const total = /\/(\d+)$/.exec(String(headers["content-range"] ?? ""))?.[1];
  return total === undefined ? undefined : Number(total);
}

function validatorOf(response: HttpResponse): string | undefined {
  const etag = response.headers.etag;
  if (typeof etag === "string" && !etag.startsWith("W/")) return etag;
  const modified = response.headers["last-modified"];
  return typeof modified === "string" ? modified : undefined;
}

function isTransient(error: unknown): boolean {
  if (error instanceof HttpStatusError) return error.status === 429 || error.status === 408 || error.status >= 500;
  return !hasCode(error, "DIGEST_MISMATCH") && !hasCode(error, "NETWORK");
}

const retryAfter = (error: unknown): number =>
  error instanceof HttpStatusError ? Math.min(error.retryAfterSeconds, 60) * 1000 : 0;

function networkError(url: string, error: unknown): BootwrightError {
  if (error instanceof BootwrightError) return error;
  return new BootwrightError("NETWORK", `${url}: ${messageOf(error)}`, { cause: error });
}

const withoutCredentials = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !["authorization", "cookie", "proxy-authorization"].includes(name.toLowerCase()),
    ),
  );

async function* readFileUrl(url: string): AsyncGenerator<Uint8Array> {
  const file = fileURLToPath(url);
  if (!fs.existsSync(file)) throw new BootwrightError("PATH_MISSING", `${file} does not exist`);
  try {
    yield* fs.createReadStream(file, { highWaterMark: 1024 * 1024 });
  } catch (error) {
    throw ioError("read", file, error);
  }
}
