/**
 * Answers a registry's challenges: Basic, or Bearer with a token for each set of scopes (Docker's token protocol, GET with
 * Basic, or OAuth2 POST with a refresh token). Tokens stay in memory, until shortly before they expire.
 */
import { type Clock, systemClock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import { type HttpResponse, request } from "../base/http.ts";
import type { Credentials } from "./auth-file.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import { type Asked, refusalOf, type Scope } from "./refusal.ts";

export interface AuthenticatorOptions {
  readonly host: string;
  /** Looked up when the registry asks, not before. */
  readonly credentials: (repository: string | undefined) => Promise<Credentials | undefined>;
  readonly ca?: string | undefined;
  /** A token service may be reached without TLS only where the registry is. */
  readonly plainHttp: boolean;
  readonly clock?: Clock;
}

interface Token {
  readonly value: string;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** As the protocol has it: a token without `expires_in` lasts a minute. */
const DEFAULT_SECONDS = 60;
/** Renewed this long before it expires, so that it does not on its way. */
const MARGIN_SECONDS = 10;
const MAX_TOKEN_ANSWER = 1024 * 1024;

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, Promise<Token>>();
  readonly #credentials = new Map<string, Promise<Credentials | undefined>>();
  /** What the registry asked for last: later requests answer it beforehand. */
  #challenge: Challenge | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** The header for a request, as far as is known without asking. */
  async header(scopes: readonly Scope[], asked: Asked, signal?: AbortSignal): Promise<string | undefined> {
    if (this.#challenge === undefined) return undefined;
    return this.#answer(this.#challenge, { scopes, asked, signal });
  }

  /** Takes a 401's challenges; false when none of them can be answered. */
  challenged(header: string | readonly string[] | undefined): boolean {
    const known = parseChallenges(header).filter(
      ({ scheme, words }) => scheme === "basic" || (scheme === "bearer" && words.has("realm")),
    );
    this.#challenge = known.find(({ scheme }) => scheme === "bearer") ?? known[0];
    return this.#challenge !== undefined;
  }

  get wasAsked(): boolean {
    return this.#challenge !== undefined;
  }

  /** The next request gets a new token: the registry did not take this one. */
  forget(scopes: readonly Scope[]): void {
    this.#tokens.delete(keyOf(scopes));
  }

  credentials(repository: string | undefined): Promise<Credentials | undefined> {
    const key = repository ?? "";
    let found = this.#credentials.get(key);
    if (found === undefined) {
      found = this.#options.credentials(repository);
      this.#credentials.set(key, found);
    }
    return found;
  }

  /** What the last token for these scopes says that it allows in a repository; undefined when it does not say. */
  async granted(scopes: readonly Scope[], repository: string): Promise<readonly string[] | undefined> {
    const token = await this.#tokens.get(keyOf(scopes))?.catch(() => undefined);
    return token === undefined ? undefined : grantedBy(token.value, repository);
  }

  async #answer(
    challenge: Challenge,
    { scopes, asked, signal }: { scopes: readonly Scope[]; asked: Asked; signal: AbortSignal | undefined },
  ): Promise<string | undefined> {
    const credentials = await this.credentials(scopes[0]?.repository);
    if (challenge.scheme === "basic") {
      if (credentials === undefined) return undefined;
      return `Basic ${basicOf(credentials)}`;
    }
    const key = keyOf(scopes);
    let token = await this.#tokens.get(key)?.catch(() => undefined);
    if (token === undefined || token.until <= this.#clock.elapsed()) {
      const fetched = this.#fetchToken(challenge, { scopes, credentials, asked, signal });
      this.#tokens.set(key, fetched);
      try {
        token = await fetched;
      } catch (error) {
        this.#tokens.delete(key);
        throw error;
      }
    }
    return `Bearer ${token.value}`;
  }

  async #fetchToken(
    { words }: Challenge,
    {
      scopes,
      credentials,
      asked,
      signal,
    }: {
      scopes: readonly Scope[];
      credentials: Credentials | undefined;
      asked: Asked;
      signal: AbortSignal | undefined;
    },
  ): Promise<Token> {
    const realm = this.#realmOf(words.get("realm")!);
    const service = words.get("service");
    const wanted = scopes.length > 0 ? scopes.map(formatScope) : [words.get("scope") ?? ""].filter(Boolean);
    const common = { signal, ca: this.#options.ca, accept: () => true };
    let response: HttpResponse;
    if (credentials?.isToken) {
      const form = new URLSearchParams({ grant_type: "refresh_token", client_id: "bootwright" });
      if (service !== undefined) form.set("service", service);
      if (wanted.length > 0) form.set("scope", wanted.join(" "));
      form.set("refresh_token", credentials.secret);
      response = await request(realm.href, {
        ...common,
        method: "POST",
        body: form.toString(),
        headers: { "content-type": "application/x-www-form-urlencoded" },
      });
    } else {
      if (service !== undefined) realm.searchParams.set("service", service);
      for (const scope of wanted) realm.searchParams.append("scope", scope);
      if (credentials !== undefined && credentials.username !== "")
        realm.searchParams.set("account", credentials.username);
      response = await request(realm.href, {
        ...common,
        headers: credentials === undefined ? {} : { authorization: `Basic ${basicOf(credentials)}` },
      });
    }
    if (response.status !== 200) throw await tokenRefusal(response, { ...asked, credentials }, realm);
    const { value, seconds } = await readToken(response, realm);
    return { value, until: this.#clock.elapsed() + Math.max(seconds - MARGIN_SECONDS, seconds / 2) * 1000 };
  }

  /** The service gets the password: not over an open line when the registry is reached over a safe one. */
  #realmOf(realm: string): URL {
    const { host, plainHttp } = this.#options;
    let url: URL;
    try {
      url = new URL(realm);
    } catch {
      throw new BootwrightError(
        "NETWORK",
        `${host} names ${JSON.stringify(realm)} as its token service, which is no address`,
      );
    }
    if (url.protocol === "https:" || (url.protocol === "http:" && plainHttp)) return url;
    throw new BootwrightError("NETWORK", `${host} names a token service without TLS: ${url.origin}`, {
      hint: "nothing was sent to it; --plain-http allows it",
    });
  }
}

/** 401 and 403 of a token service: the name or password is wrong; the rest as for a registry. */
async function tokenRefusal(response: HttpResponse, asked: Asked, realm: URL): Promise<BootwrightError> {
  const refusal = await refusalOf(response, { ...asked, what: `${asked.what}: no token from ${realm.host}` });
  if ((response.status !== 401 && response.status !== 403) || asked.credentials === undefined) return refusal;
  const { username, from } = asked.credentials;
  return new BootwrightError(
    "LOGIN_REFUSED",
    `cannot ${asked.what}: ${realm.host} does not take the password of ${username === "" ? "the login" : `"${username}"`} (from ${from})`,
    {
      hint: `it is wrong or has expired: bootwright oci login ${asked.host}`,
      ...(refusal.detail !== undefined && { detail: refusal.detail }),
    },
  );
}

async function readToken(response: HttpResponse, realm: URL): Promise<{ value: string; seconds: number }> {
  const fail = () => new BootwrightError("NETWORK", `${realm.host} answered with something that is no token`);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > MAX_TOKEN_ANSWER) throw fail();
    chunks.push(chunk);
  }
  let answer: { token?: unknown; access_token?: unknown; expires_in?: unknown };
  try {
    answer = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw fail(); // Without a cause: it would quote the answer.
  }
  const value = answer?.token ?? answer?.access_token;
  // What is put into a header must be one word.
  if (typeof value !== "string" || !/^[\x21-\x7e]+$/.test(value)) throw fail();
  const seconds = typeof answer.expires_in === "number" && answer.expires_in > 0 ? answer.expires_in : DEFAULT_SECONDS;
  return { value, seconds };
}

/** The `access` claim of a token that is a JWT: for explanations only, so its signature is not looked at. */
function grantedBy(token: string, repository: string): readonly string[] | undefined {
  try {
    const claims = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")) as {
      access?: { type?: unknown; name?: unknown; actions?: unknown }[];
    };
    if (claims.access !== undefined && !Array.isArray(claims.access)) return undefined;
    const entries = (claims.access ?? []).filter(({ name }) => name === repository);
    return entries.flatMap(({ actions }) => (Array.isArray(actions) ? actions.map(String) : []));
  } catch {
    return undefined;
  }
}

const formatScope = ({ repository, actions }: Scope): string => `repository:${repository}:${actions.join(",")}`;

const keyOf = (scopes: readonly Scope[]): string => scopes.map(formatScope).sort().join(" ");

const basicOf = ({ username, secret }: Credentials): string => Buffer.from(`${username}:${secret}`).toString("base64");
