/**
 * A session with one registry: sends requests with the right token, tries again what may come right, and explains what does
 * not. Everything that speaks to a registry goes through here. OCI Distribution 1.1.
 */
import type { Clock } from "../base/clock.ts";
import { systemClock } from "../base/clock.ts";
import { isTransient } from "../base/download.ts";
import { BootwrightError, messageOf } from "../base/errors.ts";
import { type Emit, silent } from "../base/events.ts";
import { type HttpMethod, type HttpResponse, HttpStatusError, request, type StreamBody } from "../base/http.ts";
import type { Credentials } from "./auth-file.ts";
import { Authenticator } from "./authenticator.ts";
import { lastingFailure } from "./connection.ts";
import { type Asked, RateLimited, refusalOf, type Scope } from "./refusal.ts";

export interface RegistryOptions {
  readonly credentials: (repository: string | undefined) => Promise<Credentials | undefined>;
  /** Without TLS. Never by itself: not for loopback either. */
  readonly plainHttp?: boolean | undefined;
  /** Certificates (PEM) that are trusted beside the system's. */
  readonly ca?: string | undefined;
  readonly emit?: Emit;
  readonly signal?: AbortSignal | undefined;
  readonly attempts?: number;
  /** First wait between attempts, in milliseconds; doubles each time. */
  readonly backoffMs?: number;
  readonly stallMs?: number | undefined;
  readonly clock?: Clock;
}

export interface RegistryCall {
  readonly method: HttpMethod;
  /** Below `/v2/`, or the whole address that the registry gave. */
  readonly path: string;
  /** The first is what the request is about. */
  readonly scopes: readonly Scope[];
  /** Completes "cannot …". */
  readonly what: string;
  /** Statuses that are an answer. */
  readonly expect: readonly number[];
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: Uint8Array | StreamBody | undefined;
  readonly stallMs?: number | undefined;
}

/** A wait that a registry asks for is kept up to here, in seconds; a longer one is an error that says so. */
const LONGEST_WAIT = 120;

export class Registry {
  readonly host: string;
  readonly emit: Emit;
  readonly signal: AbortSignal | undefined;
  readonly options: RegistryOptions;
  readonly #base: URL;
  readonly #auth: Authenticator;

  constructor(host: string, options: RegistryOptions) {
    this.host = host;
    this.options = options;
    this.emit = options.emit ?? silent;
    this.signal = options.signal;
    this.#base = new URL(`${options.plainHttp ? "http" : "https"}://${host}/v2/`);
    this.#auth = new Authenticator({
      host,
      credentials: options.credentials,
      ca: options.ca,
      plainHttp: options.plainHttp ?? false,
      ...(options.clock && { clock: options.clock }),
    });
  }

  /** Whether it wanted to know who asks. */
  get wantsLogin(): boolean {
    return this.#auth.wasAsked;
  }

  /** Tried again as long as that may help. Throws the codes of refusal.ts, NETWORK. */
  async call(call: RegistryCall): Promise<HttpResponse> {
    return this.#patiently(call.what, () => this.once(call));
  }

  /**
   * As `call`, with the body: a document of at most `most` bytes, whose answer may break on its way as well. Throws
   * LIMIT_EXCEEDED.
   */
  async document(
    call: RegistryCall,
    most: number,
  ): Promise<{ readonly response: HttpResponse; readonly bytes: Buffer }> {
    return this.#patiently(call.what, async () => {
      const response = await this.once(call);
      const chunks: Uint8Array[] = [];
      let size = 0;
      for await (const chunk of response.body) {
        size += chunk.length;
        if (size > most)
          throw new BootwrightError("LIMIT_EXCEEDED", `cannot ${call.what}: an answer of more than ${most} bytes`);
        chunks.push(chunk);
      }
      return { response, bytes: Buffer.concat(chunks) };
    });
  }

  /** One try, and a second with a new token. Throws HttpStatusError for what may come right (408, 429, 5xx). */
  async once(call: RegistryCall): Promise<HttpResponse> {
    const url = this.resolve(call.path);
    const scopes = call.scopes;
    const asked: Asked = { host: this.host, scope: scopes[0], what: call.what, credentials: undefined };
    // Only the registry itself gets our token: not the storage that it sends us to.
    const ours = url.origin === this.#base.origin;
    const sent = ours ? await this.#auth.header(scopes, asked, this.signal) : undefined;
    const response = await this.#send(url, { ...call, authorization: sent });
    if (call.expect.includes(response.status)) return response;
    if (response.status !== 401 || !ours) throw await this.#refusal(response, asked);
    if (!this.#auth.challenged(response.headers["www-authenticate"])) throw await this.#refusal(response, asked);
    this.#auth.forget(scopes);
    const answer = await this.#auth.header(scopes, asked, this.signal);
    if (answer === undefined) throw await this.#refusal(response, asked);
    await response.body.dump();
    if (isStreamed(call.body)) throw new TokenExpired(this.host);
    const again = await this.#send(url, { ...call, authorization: answer });
    if (call.expect.includes(again.status)) return again;
    throw await this.#refusal(again, asked);
  }

  /** Milliseconds until the next try. Throws RATE_LIMITED when the registry wants more patience than a person has. */
  waitAfter(error: unknown, backoffMs: number): number {
    if (!(error instanceof HttpStatusError)) return backoffMs;
    if (error.retryAfterSeconds > LONGEST_WAIT) throw this.final(error, "");
    return Math.max(backoffMs, error.retryAfterSeconds * 1000);
  }

  /** What is thrown when no further try is made. */
  final(error: unknown, what: string): unknown {
    if (error instanceof RateLimited) return error.final();
    if (error instanceof BootwrightError) return error;
    const cause = lastingFailure(error, this.host);
    return (
      cause ?? new BootwrightError("NETWORK", `cannot ${what}: ${this.host}: ${messageOf(error)}`, { cause: error })
    );
  }

  /** An address that the registry gave, or a path below `/v2/`. Throws NETWORK for one that leaves TLS. */
  resolve(path: string): URL {
    const url = new URL(path, this.#base);
    if (url.protocol === "http:" && this.#base.protocol === "https:") {
      // What stands behind a proxy that ends TLS often does not know it.
      if (url.hostname !== this.#base.hostname)
        throw new BootwrightError("NETWORK", `${this.host} sends us to ${url.origin}, which is without TLS`);
      const secure = new URL(url);
      secure.protocol = "https:";
      secure.port = this.#base.port;
      return secure;
    }
    if (url.protocol !== "http:" && url.protocol !== "https:")
      throw new BootwrightError("NETWORK", `${this.host} sends us to an address of another kind: ${url.protocol}`);
    return url;
  }

  async #patiently<T>(what: string, body: () => Promise<T>): Promise<T> {
    const { attempts = 5, backoffMs = 500, clock = systemClock } = this.options;
    for (let attempt = 1; ; attempt++) {
      try {
        return await body();
      } catch (error) {
        this.signal?.throwIfAborted();
        if (!isTransient(error) || attempt >= attempts) throw this.final(error, what);
        const waitMs = this.waitAfter(error, backoffMs * 2 ** (attempt - 1));
        this.emit({ type: "retry", what: `${this.host}: ${what}`, attempt, reason: reasonOf(error), waitMs });
        await clock.sleep(waitMs, this.signal);
      }
    }
  }

  async #send(
    url: URL,
    { method, headers, body, authorization, stallMs }: RegistryCall & { authorization: string | undefined },
  ): Promise<HttpResponse> {
    try {
      return await request(url.href, {
        method,
        headers: { ...headers, ...(authorization !== undefined && { authorization }) },
        ...(body !== undefined && { body }),
        signal: this.signal,
        stallMs: stallMs ?? this.options.stallMs,
        ca: this.options.ca,
        accept: () => true,
      });
    } catch (error) {
      throw lastingFailure(error, this.host) ?? error;
    }
  }

  async #refusal(response: HttpResponse, asked: Asked): Promise<BootwrightError> {
    const { host, origin } = new URL(response.url);
    if (origin !== this.#base.origin && response.status < 500 && response.status !== 429) {
      await response.body.dump();
      return new BootwrightError(
        "REGISTRY_REFUSED",
        `cannot ${asked.what}: ${this.host} sends us to its storage at ${host}, which answers ${response.status}`,
        { hint: "try again; a proxy on the way may have to let this host through, too" },
      );
    }
    const scope = asked.scope;
    return refusalOf(response, {
      ...asked,
      credentials: await this.#auth.credentials(scope?.repository),
      granted: scope === undefined ? undefined : await this.#auth.granted([scope], scope.repository),
    });
  }
}

/** A stream cannot be sent twice: whoever makes it begins where the registry stopped taking it. */
export class TokenExpired extends HttpStatusError {
  constructor(host: string) {
    super(`${host}: the token expired`, 408);
  }
}

/** For notes: the status says enough, and the address does not. */
const reasonOf = (error: unknown): string =>
  error instanceof HttpStatusError ? `status ${error.status}` : messageOf(error);

const isStreamed = (body: RegistryCall["body"]): boolean => body !== undefined && !(body instanceof Uint8Array);
