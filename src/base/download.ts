/** Downloads that go on where they broke. */
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { systemClock } from "./clock.ts";
import { BootwrightError, ioError, isBootwrightError, messageOf } from "./errors.ts";
import { type Emit, silent } from "./events.ts";
import { type HttpOptions, type HttpResponse, HttpStatusError, rangeTotal, request, shownUrl } from "./http.ts";

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
  /** Bytes that the body has, known beforehand: it is named by its digest, so a shorter one is a broken one, and any server's rest fits. */
  readonly size?: number;
  /** With `size`: the byte to begin at. */
  readonly from?: number;
  /** Sends the request; default: as it is. A registry's needs a token. */
  readonly open?: (url: string, options: HttpOptions) => Promise<HttpResponse>;
}

/**
 * The bytes of an http(s) or file URL. A broken, stalled or refused (429, 5xx) transfer is tried again from where it
 * stopped. Throws NETWORK, HTTP_STATUS, or IO/PATH_MISSING for a file. The caller checks the digest.
 */
export async function* download(url: string, options: DownloadOptions = {}): AsyncGenerator<Uint8Array> {
  if (url.startsWith("file:")) return yield* readFileUrl(url);
  const { signal, emit = silent, attempts = 5, size, stallMs, open = request, backoffMs = 500 } = options;
  const maxSize = options.maxSize ?? size ?? Number.MAX_SAFE_INTEGER;
  let offset = options.from ?? 0;
  let validator: string | undefined;
  let total: number | undefined;
  for (let attempt = 1; ; attempt++) {
    const before = offset;
    if (offset > 0 && offset === size) return; // Broken behind its last byte.
    try {
      const response = await open(url, { signal, stallMs, headers: rangeHeaders(offset, validator) });
      let skip = startOf(response, offset);
      if (size === undefined) {
        if (offset > 0) requireSameBody(url, { response, validator, total });
        validator ??= validatorOf(response);
        total ??= totalOf(response);
      }
      for await (const chunk of response.body) {
        const wanted = skip >= chunk.length ? undefined : skip === 0 ? chunk : chunk.subarray(skip);
        skip = Math.max(0, skip - chunk.length);
        if (wanted === undefined) continue;
        offset += wanted.length;
        if (offset > maxSize)
          throw new BootwrightError("DIGEST_MISMATCH", `${shownUrl(url)}: longer than the expected ${maxSize} bytes`);
        yield wanted;
      }
      if (offset < (size ?? 0)) throw new Error(`the body ended after ${offset} of ${size} bytes`);
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (offset > 0 && error instanceof HttpStatusError && error.status === 416 && error.total === offset) return;
      if (offset - before >= PROGRESS) attempt = 1; // It moves: only (nearly) standing still counts.
      if (!isTransient(error) || attempt >= attempts) throw networkError(url, error);
      const waitMs = Math.max(backoffMs * 2 ** (attempt - 1), retryAfter(error));
      emit({ type: "retry", what: shownUrl(url), attempt, reason: messageOf(error), waitMs });
      await systemClock.sleep(waitMs, signal);
    }
  }
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
    throw new BootwrightError("NETWORK", `${shownUrl(url)} changed on the server while it was downloaded`, {
      hint: "try again",
    });
}

/** Bytes of the whole body, where the server says so. */
function totalOf({ status, headers }: HttpResponse): number | undefined {
  if (status === 206) return rangeTotal(headers);
  return headers["content-length"] === undefined ? undefined : Number(headers["content-length"]);
}

function validatorOf(response: HttpResponse): string | undefined {
  const etag = response.headers.etag;
  if (typeof etag === "string" && !etag.startsWith("W/")) return etag;
  const modified = response.headers["last-modified"];
  return typeof modified === "string" ? modified : undefined;
}

export function isTransient(error: unknown): boolean {
  if (error instanceof HttpStatusError) return error.status === 429 || error.status === 408 || error.status >= 500;
  return !isBootwrightError(error);
}

const retryAfter = (error: unknown): number =>
  error instanceof HttpStatusError ? Math.min(error.retryAfterSeconds, 60) * 1000 : 0;

function networkError(url: string, error: unknown): BootwrightError {
  if (error instanceof BootwrightError) return error;
  return new BootwrightError("NETWORK", `${shownUrl(url)}: ${messageOf(error)}`, { cause: error });
}

async function* readFileUrl(url: string): AsyncGenerator<Uint8Array> {
  const file = fileURLToPath(url);
  if (!fs.existsSync(file)) throw new BootwrightError("PATH_MISSING", `${file} does not exist`);
  try {
    yield* fs.createReadStream(file, { highWaterMark: 1024 * 1024 });
  } catch (error) {
    throw ioError("read", file, error);
  }
}
