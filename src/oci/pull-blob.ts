/** Blobs out of a registry (OCI Distribution 1.1, "Pulling blobs"): verified while they stream, resumed where they broke. */
import type { Digest } from "../base/digest.ts";
import { download } from "../base/download.ts";
import { verified } from "./blob.ts";
import { pullScope } from "./manifests.ts";
import type { Registry } from "./registry.ts";

export interface PullOptions {
  readonly repository: string;
  /** Where to begin; the digest is checked of a whole blob only. */
  readonly offset?: number;
}

/** Throws DIGEST_MISMATCH, REGISTRY_UNKNOWN, NETWORK, and what the registry refuses. */
export function pullBlob(registry: Registry, digest: Digest, options: PullOptions): AsyncIterable<Uint8Array> {
  const chunks = blobRange(registry, digest, options);
  return (options.offset ?? 0) === 0 ? verified(chunks, digest, labelOf(registry, digest, options)) : chunks;
}

async function* blobRange(registry: Registry, digest: Digest, options: PullOptions): AsyncGenerator<Uint8Array> {
  const { repository, offset = 0 } = options;
  const what = `pull ${labelOf(registry, digest, options)}`;
  const path = `${repository}/blobs/sha256:${digest.hash}`;
  try {
    const { attempts, backoffMs, stallMs } = registry.options;
    const stream = download(`${registry.host}/${repository}: blob sha256:${digest.hash.slice(0, 12)}`, {
      size: digest.size,
      signal: registry.signal,
      emit: registry.emit,
      ...(offset > 0 && { from: offset }),
      ...(attempts !== undefined && { attempts }),
      ...(backoffMs !== undefined && { backoffMs }),
      ...(stallMs !== undefined && { stallMs }),
      open: (_, { headers }) =>
        registry.once({ method: "GET", path, scopes: [pullScope({ repository })], what, expect: [200, 206], headers }),
    });
    for await (const chunk of stream) yield chunk;
  } catch (error) {
    registry.signal?.throwIfAborted();
    throw registry.final(error, what);
  }
}

const labelOf = (registry: Registry, { hash }: Digest, { repository }: PullOptions): string =>
  `${registry.host}/${repository}: blob sha256:${hash.slice(0, 12)}`;
