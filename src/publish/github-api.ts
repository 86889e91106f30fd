/** GitHub's REST API, as far as releases need it: asked again when the server is busy, refusals explained. */
import { type Clock, systemClock } from "../base/clock.ts";
import { download } from "../base/download.ts";
import { BootwrightError, isBootwrightError, messageOf } from "../base/errors.ts";
import { type HttpMethod, type HttpResponse, request, retryAfterSeconds, type StreamBody } from "../base/http.ts";
import { JsonFields } from "../formats/oci-json.ts";

export interface GithubOptions {
  /** "https://api.github.com" */
  readonly api: string;
  readonly token: string | undefined;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** First wait between attempts, in milliseconds; doubles each time. */
  readonly backoffMs?: number;
  /** Milliseconds of silence after which a connection counts as dead. */
  readonly stallMs?: number;
}

export interface GithubCall {
  readonly method: HttpMethod;
  /** Below the API's address, or a whole address that the API gave. */
  readonly path: string;
  /** Completes "cannot …". */
  readonly what: string;
  readonly json?: unknown;
  /** Opened anew for each attempt. */
  readonly file?: () => StreamBody;
  /** Statuses from 400 that the caller understands. */
  readonly accept?: readonly number[];
}

export interface GithubAnswer {
  readonly status: number;
  readonly bytes: Buffer;
  readonly headers: HttpResponse["headers"];
}

const ATTEMPTS = 4;
/** A longer pause that the server asks for is for the user to wait. Seconds. */
const LONGEST_PAUSE = 60;
const MAX_ANSWER = 16 * 1024 * 1024;

export class Github {
  readonly #options: GithubOptions;

  constructor(options: GithubOptions) {
    this.#options = options;
  }

  /** Throws LOGIN_NEEDED, HTTP_STATUS with the server's own words, NETWORK. */
  async call(call: GithubCall): Promise<GithubAnswer> {
    const { clock = systemClock, backoffMs = 500, signal } = this.#options;
    // What makes something new is not sent twice: the first may have come through with its answer lost.
    const again = call.method !== "POST";
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      let pause = backoffMs * 2 ** (attempt - 1);
      try {
        const answer = await this.#send(call);
        if (answer.status < 400 || call.accept?.includes(answer.status)) return answer;
        const wait = retryAfterSeconds(answer.headers);
        const limited = answer.status === 429 || (answer.status === 403 && wait > 0);
        const busy = again && answer.status >= 500;
        if (!(limited || busy) || attempt === ATTEMPTS || wait > LONGEST_PAUSE) throw this.#refusal(call, answer);
        pause = Math.max(pause, wait * 1000);
      } catch (error) {
        signal.throwIfAborted();
        if (isBootwrightError(error)) throw error;
        if (!again || attempt === ATTEMPTS)
          throw new BootwrightError("NETWORK", `cannot ${call.what}: ${messageOf(error)}`, { cause: error });
      }
      await clock.sleep(pause, signal);
    }
  }

  async json(call: GithubCall): Promise<JsonFields | undefined> {
    const { status, bytes } = await this.call(call);
    return status >= 400 ? undefined : JsonFields.parse(bytes, `GitHub's answer to: ${call.what}`);
  }

  /**
   * The bytes of an asset, going on where a transfer broke. The API leads to a store elsewhere, which does not see the token. Throws NETWORK,
   * HTTP_STATUS. The caller checks the digest.
   */
  read(path: string, { what, size }: { readonly what: string; readonly size: number }): AsyncGenerator<Uint8Array> {
    const { signal, backoffMs = 500, stallMs } = this.#options;
    return download(what, {
      ...{ signal, size, backoffMs, ...(stallMs !== undefined && { stallMs }) },
      open: (_, { headers = {}, ...options }) =>
        request(this.#urlOf(path).href, {
          ...options,
          headers: { ...headers, ...this.#identity(), accept: "application/octet-stream" },
        }),
    });
  }

  #urlOf(path: string): URL {
    const api = this.#options.api.replace(/\/+$/, "");
    return new URL(path.includes("://") ? path : `${api}${path}`);
  }

  #identity(): Readonly<Record<string, string>> {
    const { token } = this.#options;
    return { "x-github-api-version": "2022-11-28", ...(token !== undefined && { authorization: `Bearer ${token}` }) };
  }

  async #send({ method, path, json, file }: GithubCall): Promise<GithubAnswer> {
    const { api, signal, stallMs } = this.#options;
    const url = this.#urlOf(path);
    // The address for uploads comes from the server: the token goes there over TLS only.
    if (url.protocol !== "https:" && url.origin !== new URL(api).origin)
      throw new BootwrightError("NETWORK", `${url.origin} is no address to send a token to`);
    const body = file?.() ?? (json === undefined ? undefined : JSON.stringify(json));
    const response = await request(url.href, {
      method,
      headers: {
        ...{ ...this.#identity(), accept: "application/vnd.github+json" },
        ...(file !== undefined && { "content-type": "application/octet-stream" }),
        ...(json !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body }),
      ...{ signal, stallMs },
      accept: () => true,
    });
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body) {
      size += chunk.length;
      if (size > MAX_ANSWER)
        throw new BootwrightError("LIMIT_EXCEEDED", `${url.origin}: an answer over ${MAX_ANSWER} bytes`);
      chunks.push(chunk);
    }
    return { status: response.status, bytes: Buffer.concat(chunks), headers: response.headers };
  }

  #refusal({ what }: GithubCall, { status, bytes }: GithubAnswer): BootwrightError {
    const detail = `GitHub answered ${status}: ${saidBy(bytes)}`;
    const { token } = this.#options;
    if (status === 401 || (token === undefined && (status === 403 || status === 404)))
      return new BootwrightError(
        "LOGIN_NEEDED",
        `cannot ${what}: ${token === undefined ? "there is no token" : "the token is not valid"}`,
        {
          hint: "set GITHUB_TOKEN (or GH_TOKEN) to a token that may write the repository's contents",
          detail,
        },
      );
    return new BootwrightError("HTTP_STATUS", `cannot ${what}`, {
      ...((status === 403 || status === 404) && {
        hint: "the repository's name may be wrong, or the token may not write its contents",
      }),
      detail,
    });
  }
}

function saidBy(bytes: Buffer): string {
  try {
    const fields = JsonFields.parse(bytes, "answer");
    return fields.optionalText("message") ?? "nothing";
  } catch {
    return "nothing";
  }
}
