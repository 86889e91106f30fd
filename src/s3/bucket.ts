/**
 * A bucket, and requests to it: signed, tried again when the server is busy or the connection breaks, with the server's clock
 * and region learned from its answers.
 */
import { systemClock } from "../base/clock.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError, isBootwrightError, messageOf } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { type HttpMethod, type HttpResponse, request, retryAfterSeconds } from "../base/http.ts";
import { isBusy, readProblem, refusalError, type S3Problem } from "./refusal.ts";
import { encodeKey, presignUrl, type S3Credentials, signRequest } from "./signature.ts";

export interface BucketOptions {
  readonly name: string;
  /** "https://s3.example.org", without a path. */
  readonly endpoint: string;
  readonly region: string;
  /** path: `ENDPOINT/BUCKET/KEY`; virtual: `BUCKET.ENDPOINT/KEY`. */
  readonly addressing: "path" | "virtual";
  /** Asked again when what it gave has expired. */
  readonly credentials: () => Promise<S3Credentials | undefined>;
  /** Certificates (PEM) that are trusted beside the system's. */
  readonly ca?: string | undefined;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  readonly attempts?: number;
  /** First wait between attempts, in milliseconds; doubles each time. */
  readonly backoffMs?: number;
  /** Milliseconds since the epoch; default: the host's clock. */
  readonly clock?: () => number;
}

export interface BucketRequest {
  readonly method: HttpMethod;
  /** Completes "cannot …". */
  readonly what: string;
  /** Absent: the bucket itself. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Lower-case names. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Payload | undefined;
  /** Statuses from 300 that the caller understands. */
  readonly accept?: readonly number[];
}

/** A body that can be sent again. */
export interface Payload {
  readonly size: number;
  /** Hex. The server checks it. */
  readonly sha256: string;
  readonly open: () => AsyncIterable<Uint8Array> | Uint8Array;
}

export interface Answer {
  readonly response: HttpResponse;
  /** More than one attempt was made: an earlier one may have done its work, too, with its answer lost. */
  readonly repeated: boolean;
}

export const bytesPayload = (bytes: Uint8Array): Payload => ({
  size: bytes.length,
  sha256: digestOf(bytes).hash,
  open: () => bytes,
});

const NOTHING = bytesPayload(new Uint8Array());
/** Credentials are renewed this long before they expire, in milliseconds. */
const RENEW = 60_000;

export class Bucket {
  readonly #options: BucketOptions;
  #region: string;
  /** How far the server's clock is ahead of ours, in milliseconds. */
  #ahead = 0;
  #serverTime: number | undefined;
  /** The server has done something with the bucket for us. */
  #isThere = false;
  readonly #clock: () => number;
  #credentials: Promise<S3Credentials | undefined> | undefined;
  #expires = Number.POSITIVE_INFINITY;

  constructor(options: BucketOptions) {
    this.#options = options;
    this.#region = options.region;
    this.#clock = options.clock ?? (() => systemClock.now());
  }

  /** "s3://NAME" */
  get label(): string {
    return `s3://${this.#options.name}`;
  }

  get signal(): AbortSignal {
    return this.#options.signal;
  }

  /** Milliseconds since the epoch, by the server's clock as far as it is known. */
  get now(): number {
    return this.#clock() + this.#ahead;
  }

  /** When the server answered last, by its own clock: milliseconds since the epoch. */
  get serverTime(): number {
    return this.#serverTime ?? this.now;
  }

  /**
   * Throws OBJECT_DENIED, OBJECT_REFUSED, BUCKET_UNKNOWN, CREDENTIALS_REFUSED, CREDENTIALS_INVALID, HTTP_STATUS (a server that
   * stays busy), NETWORK, PATH_UNSAFE.
   */
  async send(asked: BucketRequest): Promise<Answer> {
    const { attempts = 6, backoffMs = 500, emit, signal } = this.#options;
    const mended = new Set<string>();
    for (let [attempt, denials] = [1, 0]; ; attempt++) {
      let waitMs = backoffMs * 2 ** (attempt - 1);
      let reason: string;
      let failure: unknown;
      try {
        const response = await this.#once(asked);
        if (response.status < 300) this.#isThere = true;
        if (response.status < 300 || asked.accept?.includes(response.status))
          return { response, repeated: attempt - denials > 1 };
        const problem = await readProblem(response);
        if (this.#mend(problem, mended)) {
          attempt--; // It was answered, and not done: this is no repetition.
          continue;
        }
        failure = refusalError(problem, { ...this.#names(), what: asked.what, credentials: await this.#identity() });
        // Swift says so, too, while its account server does not answer: it is asked once more, and longer where it knew the bucket.
        const isDenied = problem.code === "NoSuchBucket";
        if (isDenied) denials++;
        if (isDenied ? denials > 1 && !this.#isThere : !isBusy(problem)) throw failure;
        waitMs = Math.max(waitMs, Math.min(retryAfterSeconds(problem.headers), 60) * 1000);
        reason = `${problem.status} ${problem.code}`.trim();
      } catch (error) {
        signal.throwIfAborted();
        if (isBootwrightError(error)) throw error;
        failure = new BootwrightError("NETWORK", `cannot ${asked.what}: ${messageOf(error)}`, { cause: error });
        reason = messageOf(error);
      }
      if (attempt >= attempts) throw failure;
      emit({ type: "retry", what: asked.what, attempt, reason, waitMs });
      await systemClock.sleep(waitMs, signal);
    }
  }

  /** An address that works without credentials for `seconds` (at most a week). It is a secret for that long. Throws OBJECT_DENIED without credentials. */
  async presign(key: string, { method = "GET", seconds }: { method?: HttpMethod; seconds: number }): Promise<string> {
    const credentials = await this.#identity();
    if (credentials === undefined)
      throw new BootwrightError("OBJECT_DENIED", `cannot sign an address of ${this.label}: there are no credentials`, {
        hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
      });
    const unsigned = { method, address: this.#address(key), query: {}, headers: {} };
    return presignUrl(unsigned, { credentials, region: this.#region, now: this.now, seconds });
  }

  async #once({ method, key, query = {}, headers = {}, body }: BucketRequest): Promise<HttpResponse> {
    const { ca, signal } = this.#options;
    const credentials = await this.#identity();
    const payload = body ?? NOTHING;
    const unsigned = { method, address: this.#address(key), query, headers };
    const own = { region: this.#region, now: this.now, payload: payload.sha256 };
    const anonymous = { ...own, credentials: { accessKey: "", secretKey: "", from: "" } };
    const signed = signRequest(unsigned, credentials === undefined ? anonymous : { ...own, credentials });
    const { authorization, host, ...rest } = signed.headers;
    const chunks = payload.open();
    const response = await request(signed.url, {
      method,
      headers: { ...rest, ...(credentials !== undefined && { authorization: authorization! }) },
      ...(body !== undefined && {
        body: chunks instanceof Uint8Array ? chunks : { size: payload.size, chunks },
      }),
      ...{ ca, signal, accept: () => true },
    });
    const date = Date.parse(String(response.headers.date ?? ""));
    if (!Number.isNaN(date)) this.#serverTime = date;
    return response;
  }

  /** True when the next try is another one, for something that the answer has told us. Each kind once. */
  #mend({ code, region }: S3Problem, mended: Set<string>): boolean {
    const kind =
      code === "RequestTimeTooSkewed" ? "time" : code === "ExpiredToken" ? "token" : region !== "" ? "region" : "";
    if (kind === "" || mended.has(kind)) return false;
    mended.add(kind);
    if (kind === "time" && this.#serverTime !== undefined) this.#ahead = this.#serverTime - this.#clock();
    else if (kind === "token") this.#credentials = undefined;
    else if (kind === "region" && region !== this.#region) this.#region = region;
    else return false;
    return true;
  }

  async #identity(): Promise<S3Credentials | undefined> {
    if (this.now > this.#expires - RENEW) this.#credentials = undefined;
    this.#credentials ??= this.#options.credentials();
    const found = await this.#credentials;
    this.#expires = found?.expires ?? Number.POSITIVE_INFINITY;
    return found;
  }

  #names(): { bucket: string; endpoint: string } {
    return { bucket: this.label, endpoint: this.#options.endpoint };
  }

  #address(key: string | undefined): string {
    const { endpoint, name, addressing } = this.#options;
    // An address with such parts is another one by the time that it is sent.
    if (key?.split("/").some((part) => part === "." || part === ".."))
      throw new BootwrightError("PATH_UNSAFE", `${this.label}/${key}: a name of an object cannot have . or .. in it`);
    const base = new URL(endpoint);
    const root = addressing === "path" ? `${base.origin}/${name}` : `${base.protocol}//${name}.${base.host}`;
    return key === undefined ? `${root}${addressing === "path" ? "" : "/"}` : `${root}/${encodeKey(key)}`;
  }
}
