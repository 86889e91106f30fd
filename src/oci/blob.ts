/** Bytes that are named by their digest, and can be read from any place: what is pushed and copied. */
import fs from "node:fs";
import { type Digest, DigestCounter } from "../base/digest.ts";
import { BootwrightError, ioError } from "../base/errors.ts";
import { fileRange } from "../base/file-range.ts";

export interface BlobSource extends Digest {
  /** From a byte to the end; called again where a transfer goes on. */
  readonly open: (offset: number) => AsyncIterable<Uint8Array>;
  /** Where a registry may take it from without a transfer. */
  readonly mountFrom?: { readonly host: string; readonly repository: string };
}

/** A part of a file; the whole when no `offset` is given. */
export function fileBlob(digest: Digest, { file, offset = 0 }: { file: string; offset?: number }): BlobSource {
  return {
    ...digest,
    open: async function* (from) {
      if (from >= digest.size) return;
      let handle: fs.promises.FileHandle;
      try {
        handle = await fs.promises.open(file, "r");
      } catch (error) {
        throw ioError("read", file, error);
      }
      try {
        yield* fileRange(handle, { name: file, from: offset + from, to: offset + digest.size });
      } finally {
        await handle.close();
      }
    },
  };
}

export const bytesBlob = (digest: Digest, bytes: Uint8Array): BlobSource => ({
  ...digest,
  open: async function* (from) {
    yield bytes.subarray(from);
  },
});

/** Passes bytes on and holds them against their digest; the last chunk comes only when all are right. Throws DIGEST_MISMATCH. */
export async function* verified(
  chunks: AsyncIterable<Uint8Array>,
  { hash, size }: Digest,
  what: string,
): AsyncGenerator<Uint8Array> {
  const counter = new DigestCounter();
  let held: Uint8Array | undefined;
  for await (const chunk of chunks) {
    counter.update(chunk);
    if (counter.size > size)
      throw new BootwrightError("DIGEST_MISMATCH", `${what}: longer than the ${size} bytes that it should have`);
    if (held !== undefined) yield held;
    held = chunk;
  }
  const got = counter.digest();
  if (got.hash !== hash || got.size !== size)
    throw new BootwrightError(
      "DIGEST_MISMATCH",
      `${what}: got sha256:${got.hash} (${got.size} bytes), want sha256:${hash} (${size} bytes)`,
      { hint: "nothing was kept; the registry's copy is damaged, or something on the way changed it" },
    );
  if (held !== undefined) yield held;
}
