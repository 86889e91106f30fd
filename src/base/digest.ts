/** SHA-256 digests: 64 lower-case hex digits plus the size in bytes, as the Remote Execution API's `Digest`. */
import { createHash, hash } from "node:crypto";

export interface Digest {
  readonly hash: string;
  /** Bytes. */
  readonly size: number;
}

export const digestOf = (bytes: Uint8Array | string): Digest => ({
  hash: hash("sha256", bytes, "hex"),
  size: typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length,
});

/** Hashes while bytes pass. */
export class DigestCounter {
  readonly #hash = createHash("sha256");
  #size = 0;

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
    this.#size += chunk.length;
  }

  get size(): number {
    return this.#size;
  }

  digest(): Digest {
    return { hash: this.#hash.digest("hex"), size: this.#size };
  }
}

/** `sha256:9f2c…`, for people. */
export const shortDigest = (hash: string): string => `sha256:${hash.slice(0, 12)}`;
