/**
 * Blobs into a registry (OCI Distribution 1.1, "Pushing blobs"): looked for, mounted from another repository, or sent: in one
 * piece where it goes, from where the registry stopped when it broke, in chunks where one piece is too large for it.
 */

import { systemClock } from "../base/clock.ts";
import type { Digest } from "../base/digest.ts";
import { isTransient } from "../base/download.ts";
import { BootwrightError, hasCode, messageOf } from "../base/errors.ts";
import { type HttpResponse, HttpStatusError, type StreamBody } from "../base/http.ts";
import type { BlobSource } from "./blob.ts";
import { pullScope, pushScope } from "./manifests.ts";
import type { Scope } from "./refusal.ts";
import type { Registry } from "./registry.ts";

export interface PushOptions {
  readonly repository: string;
  /** Bytes of a chunk, for a registry that is known to take no large ones; default: all in one. */
  readonly chunkSize?: number | undefined;
  /** Bytes that are up so far. */
  readonly progress?: ((done: number) => void) | undefined;
}

/** What was done: it was there, the registry took it from another repository, or it was sent. */
export type Pushed = "present" | "mounted" | "uploaded";

/** For what takes no large body (a proxy before the registry): proxies allow a hundred megabytes or less. */
const SMALL_CHUNK = 32 * 1024 * 1024;
/** A registry reads a large blob once more before it answers. */
const COMMIT_STALL_MS = 300_000;

/** Throws DIGEST_MISMATCH when the registry got other bytes, NETWORK, and what the registry refuses. */
export async function pushBlob(registry: Registry, blob: BlobSource, options: PushOptions): Promise<Pushed> {
  return new Upload(registry, blob, options).run();
}

/** Throws what the registry refuses. */
export async function hasBlob(registry: Registry, { hash, size }: Digest, options: PushOptions): Promise<boolean> {
  const { repository } = options;
  const response = await registry.call({
    method: "HEAD",
    path: `${repository}/blobs/sha256:${hash}`,
    scopes: [pushScope({ repository })],
    what: `push to ${registry.host}/${repository}`,
    expect: [200, 404],
  });
  const said = response.headers["content-length"];
  return response.status === 200 && (said === undefined || Number(said) === size);
}

/** One blob on its way: where the registry wants the next bytes, and how many it has. */
class Upload {
  readonly #registry: Registry;
  readonly #blob: BlobSource;
  readonly #options: PushOptions;
  readonly #what: string;
  /** Undefined: to be begun. */
  #location: string | undefined;
  #offset = 0;
  #chunkSize: number;

  constructor(registry: Registry, blob: BlobSource, options: PushOptions) {
    this.#registry = registry;
    this.#blob = blob;
    this.#options = options;
    this.#what = `push blob sha256:${blob.hash.slice(0, 12)} to ${registry.host}/${options.repository}`;
    this.#chunkSize = options.chunkSize ?? Number.POSITIVE_INFINITY;
  }

  async run(): Promise<Pushed> {
    const { attempts = 5, backoffMs = 500, clock = systemClock } = this.#registry.options;
    for (let attempt = 1; ; attempt++) {
      const before = this.#offset;
      try {
        // Asked anew after a break as well: the answer may be all that was lost.
        if (this.#location === undefined) {
          if (await hasBlob(this.#registry, this.#blob, this.#options)) return "present";
          if ((await this.#begin()) === "mounted") return "mounted";
        }
        await this.#send();
        return "uploaded";
      } catch (error) {
        this.#registry.signal?.throwIfAborted();
        if (this.#makesSmaller(error)) continue;
        const lost = error instanceof UploadLost;
        if ((!lost && !isTransient(error)) || attempt >= attempts) throw this.#registry.final(error, this.#what);
        const waitMs = this.#registry.waitAfter(error, backoffMs * 2 ** (attempt - 1));
        const { host } = this.#registry;
        const reason = error instanceof HttpStatusError ? `status ${error.status}` : messageOf(error);
        this.#registry.emit({ type: "retry", what: `${host}: ${this.#what}`, attempt, reason, waitMs });
        await clock.sleep(waitMs, this.#registry.signal);
        await this.#findPlace();
        if (this.#offset > before) attempt = 0; // It moves.
      }
    }
  }

  /** "Starting an upload", or "Mounting a blob from another repository". */
  async #begin(): Promise<"mounted" | "begun"> {
    const { repository } = this.#options;
    const from = this.#blob.mountFrom;
    const mount = from !== undefined && from.host === this.#registry.host && from.repository !== repository;
    const query = mount ? `?mount=sha256:${this.#blob.hash}&from=${encodeURIComponent(from.repository)}` : "";
    const response = await this.#call({
      method: "POST",
      path: `${repository}/blobs/uploads/${query}`,
      expect: [201, 202],
      scopes: mount ? [this.#scope, pullScope(from)] : [this.#scope],
      body: new Uint8Array(0),
    }).catch((error: unknown) => {
      // Who may not read the other repository may still send the bytes.
      if (mount && hasCode(error, "REGISTRY_DENIED")) return this.#call(this.#plainStart);
      throw error;
    });
    await response.body.dump();
    if (response.status === 201) return "mounted";
    this.#follow(response);
    this.#offset = 0;
    // The registry knows best how small a chunk may be.
    const least = Number(response.headers["oci-chunk-min-length"]);
    if (least > this.#chunkSize) this.#chunkSize = least;
    return "begun";
  }

  async #send(): Promise<void> {
    const { size } = this.#blob;
    if (this.#offset === 0 && size <= this.#chunkSize) return this.#finish(this.#body(0, size));
    while (this.#offset < size) {
      const end = Math.min(size, this.#offset + this.#chunkSize);
      const response = await this.#once({
        method: "PATCH",
        path: this.#location!,
        expect: [202, 416],
        headers: { "content-type": "application/octet-stream", "content-range": `${this.#offset}-${end - 1}` },
        body: this.#body(this.#offset, end),
      });
      await response.body.dump();
      if (response.status === 416) throw new UploadLost("the registry has another part of the blob than it said");
      this.#follow(response);
      this.#offset = rangeEnd(response) ?? end;
      if (this.#offset > size) throw new UploadLost("the registry has more than was sent");
    }
    await this.#finish(undefined);
  }

  /** "Closing the session": the registry holds the bytes against the digest. */
  async #finish(body: StreamBody | undefined): Promise<void> {
    const url = this.#registry.resolve(this.#location!);
    url.searchParams.set("digest", `sha256:${this.#blob.hash}`);
    const response = await this.#once({
      method: "PUT",
      path: url.href,
      expect: [201, 204],
      headers: { "content-type": "application/octet-stream" },
      body: body ?? new Uint8Array(0),
      stallMs: this.#registry.options.stallMs ?? COMMIT_STALL_MS,
    });
    await response.body.dump();
    const stored = response.headers["docker-content-digest"];
    if (typeof stored === "string" && stored !== `sha256:${this.#blob.hash}`)
      throw new BootwrightError(
        "DIGEST_MISMATCH",
        `cannot ${this.#what}: the registry stored ${stored}, not sha256:${this.#blob.hash}`,
      );
    this.#options.progress?.(this.#blob.size);
  }

  /** After a break: asks what the registry has; what it no longer knows begins anew. */
  async #findPlace(): Promise<void> {
    if (this.#location === undefined) return;
    try {
      const response = await this.#call({
        method: "GET",
        path: this.#location,
        scopes: [this.#scope],
        expect: [200, 202, 204],
      });
      await response.body.dump();
      this.#follow(response);
      this.#offset = rangeEnd(response) ?? 0;
      if (this.#offset <= this.#blob.size) return;
    } catch {
      this.#registry.signal?.throwIfAborted();
    }
    this.#location = undefined;
    this.#offset = 0;
  }

  /** 413: something takes no body of this size. */
  #makesSmaller(error: unknown): boolean {
    if (!(error instanceof TooLarge) || this.#chunkSize <= SMALL_CHUNK || this.#blob.size <= SMALL_CHUNK) return false;
    this.#chunkSize = SMALL_CHUNK;
    this.#location = undefined;
    this.#offset = 0;
    return true;
  }

  #body(from: number, to: number): StreamBody {
    const { progress } = this.#options;
    const chunks = this.#blob.open(from);
    const size = to - from;
    return {
      size,
      chunks: (async function* () {
        let done = 0;
        for await (const chunk of chunks) {
          const rest = size - done;
          const part = chunk.length > rest ? chunk.subarray(0, rest) : chunk;
          yield part;
          done += part.length;
          progress?.(from + done);
          if (done === size) return;
        }
      })(),
    };
  }

  #follow(response: HttpResponse): void {
    const location = response.headers.location;
    if (typeof location === "string") this.#location = new URL(location, response.url).href;
    if (this.#location === undefined)
      throw new BootwrightError(
        "REGISTRY_REFUSED",
        `cannot ${this.#what}: ${this.#registry.host} does not say where to`,
      );
  }

  get #scope(): Scope {
    return pushScope(this.#options);
  }

  get #plainStart() {
    return {
      method: "POST" as const,
      path: `${this.#options.repository}/blobs/uploads/`,
      expect: [202],
      scopes: [this.#scope],
      body: new Uint8Array(0),
    };
  }

  #call(call: Omit<Parameters<Registry["call"]>[0], "what">): Promise<HttpResponse> {
    return this.#registry.call({ ...call, what: this.#what });
  }

  async #once(call: Omit<Parameters<Registry["once"]>[0], "what" | "scopes">): Promise<HttpResponse> {
    const response = await this.#registry.once({
      ...call,
      expect: [...call.expect, 404, 413],
      scopes: [this.#scope],
      what: this.#what,
    });
    if (response.status !== 404 && response.status !== 413) return response;
    await response.body.dump();
    if (response.status === 413)
      throw new TooLarge("REGISTRY_REFUSED", `cannot ${this.#what}: it is too large for the registry`);
    throw new UploadLost("the registry does not know this upload any more");
  }
}

/** Nothing is wrong with the blob: it is sent from its start again. */
class UploadLost extends Error {}

class TooLarge extends BootwrightError {}

/** `Range: 0-99` says that 100 bytes are there; `0-0` is what many say of none. */
function rangeEnd({ headers }: HttpResponse): number | undefined {
  const range = headers.range as string | undefined;
  const end = /^(?:bytes=)?0-(\d+)$/.exec(range ?? "")?.[1];
  if (end === undefined) return undefined;
  return end === "0" ? 0 : Number(end) + 1;
}
