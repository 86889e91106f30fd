/**
 * Collects the pieces of an image as extents. Bytes of its own go into packs, blobs that hold them one after the other;
 * contents of the store are pointed to where they already lie, neither read nor written.
 */
import type { Digest } from "../base/digest.ts";
import type { Extent } from "../formats/extents.ts";
import type { FileContent } from "../formats/filetree.ts";
import type { ImagePiece } from "../formats/sparse-write.ts";
import type { ExtentsArtifact } from "./artifact.ts";
import type { Store } from "./store.ts";

/** Smaller contents are copied into a pack: an extent of their own would cost as much as their bytes. */
export const LEAST_EXTENT = 64 * 1024;

export class ExtentsWriter {
  readonly #store: Store;
  readonly #extents: Extent[] = [];

  constructor(store: Store) {
    this.#store = store;
  }

  /** The pieces of one part, which begins at `offset` of the file; its own bytes become one pack. */
  add(pieces: Iterable<ImagePiece>, offset: number): void {
    const own: Omit<Extent, "blob">[] = [];
    const extents = this.#extents;
    const bytesOf = function* (): Generator<Uint8Array> {
      let packed = 0;
      for (const piece of pieces) {
        const at = offset + piece.offset;
        if (!("bytes" in piece)) {
          extents.push({ offset: at, length: piece.length, ...placeOf(piece.content, piece.from) });
          continue;
        }
        if (piece.bytes.length === 0) continue;
        own.push({ offset: at, length: piece.bytes.length, from: packed });
        packed += piece.bytes.length;
        yield piece.bytes;
      }
    };
    const blob = this.#store.blobs.putSync(bytesOf());
    for (const extent of own) extents.push({ ...extent, blob });
  }

  /** A part that lies in extents already. */
  addExtents(extents: readonly Extent[], offset: number): void {
    for (const extent of extents) this.#extents.push({ ...extent, offset: offset + extent.offset });
  }

  /** The file, of `size` bytes. Throws a plain Error when parts overlap or leave it. */
  done(size: number): ExtentsArtifact {
    const extents = this.#extents.sort((a, b) => a.offset - b.offset);
    return this.#store.putExtents({ size, extents });
  }
}

const placeOf = ({ hash, size, pack }: FileContent, from: number): { blob: Digest; from: number } =>
  pack === undefined
    ? { blob: { hash, size }, from }
    : { blob: { hash: pack.hash, size: pack.size }, from: pack.offset + from };
