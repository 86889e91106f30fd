/**
 * The one door to the network: requests with redirects, proxies, own certificate authorities and limits. undici is loaded
 * only when a socket is needed. What goes on where it broke is download.ts.
 */
import type { IncomingHttpHeaders } from "node:http";
import { systemClock } from "./clock.ts";
import { BootwrightError } from "./errors.ts";

export type HttpMethod = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A body that comes from a disk or another server; its length is said beforehand, so it never lies in memory. */
export interface StreamBody {
  readonly size: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

export interface HttpOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: HttpMethod;
  readonly body?: Uint8Array | string | StreamBody;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds of silence after which a connection counts as dead; default STALL_MS. */
  readonly stallMs?: number | undefined;
  /** Certificates (PEM) that are trusted beside those of the system. */
  readonly ca?: string | undefined;
  /** Statuses from 400 that are answers, not errors: a registry's 401 says how to log in. */
  readonly accept?: ((status: number) => boolean) | undefined;
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

/**
 * One request, redirects followed (credentials stay with their origin). What changes something is sent again elsewhere
 * only where the server says so by 307 or 308, and never when its body is a stream. Throws HTTP_STATUS for 4xx and 5xx.
 */
export async function request(url: string, options: HttpOptions = {}): Promise<HttpResponse> {
  const undici = await import("undici");
  const { method = "GET", body, stallMs = STALL_MS } = options;
  let at = new URL(url);
  let headers: Record<string, string> = { "user-agent": "bootwright", ...accountOf(at), ...options.headers };
  if (isStream(body)) headers["content-length"] = String(body.size);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const {
      statusCode,
      headers: received,
      body: answer,
    } = await undici.request(at, {
      method,
      headers,
      body: isStream(body)
        ? (body.chunks as AsyncIterable<Uint8Array> & import("node:stream").Readable)
        : (body ?? null),
      signal: options.signal ?? null,
      headersTimeout: stallMs,
      bodyTimeout: stallMs,
      dispatcher: await agent(undici, options.ca),
    });
    const location = received.location;
    if (isRedirect(statusCode, options) && typeof location === "string") {
      await answer.dump();
      const next = new URL(location, at);
      if (next.protocol !== "http:" && next.protocol !== "https:")
        throw new BootwrightError("NETWORK", `${shownUrl(url)}: redirects to ${next.protocol}`);
      if (at.protocol === "https:" && next.protocol === "http:")
        throw new BootwrightError("NETWORK", `${shownUrl(url)}: redirects from https to http`);
      if (next.origin !== at.origin) headers = withoutCredentials(headers);
      at = next;
      continue;
    }
    if (statusCode >= 400 && options.accept?.(statusCode) !== true) {
      await answer.dump();
      // What a server redirects to may be signed for the bearer: its query is a secret.
      throw new HttpStatusError(hop === 0 ? shownUrl(url) : `${at.origin}${at.pathname}`, statusCode, received);
    }
    return { status: statusCode, url: at.href, headers: received, body: answer };
  }
  throw new BootwrightError("NETWORK", `${shownUrl(url)}: more than ${MAX_REDIRECTS} redirects`);
}

export class HttpStatusError extends BootwrightError {
  readonly status: number;
  readonly retryAfterSeconds: number;
  /** With 416: how long the body is. */
  readonly total: number | undefined;

  constructor(url: string, status: number, headers: IncomingHttpHeaders = {}) {
    super("HTTP_STATUS", `${url}: the server answered ${status}`);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds(headers);
    this.total = rangeTotal(headers);
  }
}

/** `Retry-After` says seconds or a date (RFC 9110, 10.2.3); 0 when it says nothing. */
export function retryAfterSeconds(headers: IncomingHttpHeaders): number {
  const text = headers["retry-after"];
  if (text === undefined) return 0;
  if (/^\d+$/.test(text)) return Number(text);
  const until = Date.parse(text);
  return Number.isNaN(until) ? 0 : Math.max(0, Math.ceil((until - systemClock.now()) / 1000));
}

/** `bytes 5-9/10` says 10. */
export function rangeTotal(headers: IncomingHttpHeaders): number | undefined {
  const total = /\/(\d+)$/.exec(String(headers["content-range"] ?? ""))?.[1];
  return total === undefined ? undefined : Number(total);
}

/** Without the name and password that an address may have in it. */
export function shownUrl(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/?#@]*@/i, "$1");
}

/** By the certificates that are trusted beside the system's; "" for none. */
const agents = new Map<string, import("undici").Dispatcher>();

/** Honours http_proxy, https_proxy and no_proxy; one pool for the process. */
async function agent(undici: typeof import("undici"), extra: string | undefined): Promise<import("undici").Dispatcher> {
  let found = agents.get(extra ?? "");
  if (found === undefined) {
    const tls = extra === undefined ? {} : { ca: [...(await import("node:tls")).getCACertificates("default"), extra] };
    found = new undici.EnvHttpProxyAgent({ connect: { timeout: 15_000, ...tls }, requestTls: tls });
    agents.set(extra ?? "", found);
  }
  return found;
}

/** Lets the process end: idle connections would hold it. */
export async function closeConnections(): Promise<void> {
  const open = [...agents.values()];
  agents.clear();
  await Promise.all(open.map((one) => one.destroy()));
}

const isStream = (body: HttpOptions["body"]): body is StreamBody =>
  typeof body === "object" && !(body instanceof Uint8Array);

function isRedirect(status: number, { method = "GET", body }: HttpOptions): boolean {
  if (status < 300 || status >= 400) return false;
  return method === "GET" || method === "HEAD" || ((status === 307 || status === 308) && !isStream(body));
}

/** What an address has before its "@": a name and a password (RFC 7617). */
const accountOf = ({ username, password }: URL): Record<string, string> => {
  if (username === "" && password === "") return {};
  const account = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(account).toString("base64")}` };
};

const withoutCredentials = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !["authorization", "cookie", "proxy-authorization"].includes(name.toLowerCase()),
    ),
  );
