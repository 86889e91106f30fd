/** The three writers of file systems: by reference or by bytes, it is the same image. */
import { describe, expect, it } from "vitest";
import { DigestCounter, digestOf } from "../base/digest.ts";
import { encodeErofs } from "./erofs.ts";
import { encodeExt4 } from "./ext4.ts";
import { encodeFat } from "./fat.ts";
import type { FileContent, FileTree } from "./filetree.ts";
import { fillHoles, type ImagePiece, type SparseWrite } from "./sparse-write.ts";

const REFER = 20_000;
/** Ends in and at the end of a block, below and over what is referred to, one over several groups of ext4. */
const SIZES = [1, 4096, 19_999, 20_000, 20_480, 123_457, 1_048_576, 140_000_001];

const contents = new Map(
  SIZES.map((size) => {
    const bytes = Buffer.alloc(size, `${size} `);
    return [digestOf(bytes).hash, bytes];
  }),
);
const contentOf = (size: number): FileContent => ({ hash: digestOf(Buffer.alloc(size, `${size} `)).hash, size });
const bytesOf = ({ hash, size, pack }: FileContent): Buffer =>
  contents.get(hash)!.subarray(pack?.offset ?? 0, (pack?.offset ?? 0) + size);
const read = (content: FileContent) => [bytesOf(content)];

const owner = { uid: 0, gid: 0 };
const tree: FileTree = [
  { type: "directory", path: "", mode: 0o755, ...owner },
  ...SIZES.map((size, i) => ({
    ...{ type: "file" as const, path: `f${i}`, mode: 0o644, ...owner },
    content: contentOf(size),
  })),
];

/** References as bytes again. */
function* resolved(pieces: Iterable<ImagePiece>, seen: number[]): Generator<SparseWrite> {
  for (const piece of pieces) {
    if ("bytes" in piece) {
      yield piece;
      continue;
    }
    seen.push(piece.length);
    yield { offset: piece.offset, bytes: bytesOf(piece.content).subarray(piece.from, piece.from + piece.length) };
  }
}

function flat(writes: Iterable<SparseWrite>, size: number): string {
  const counter = new DigestCounter();
  for (const bytes of fillHoles(writes, size)) counter.update(bytes);
  return counter.digest().hash;
}

const options = { read, seed: "s", epoch: 1_700_000_000, label: "root" };
const large = SIZES.filter((size) => size >= REFER).reduce((sum, size) => sum + size, 0);

describe("an image by reference is the image by bytes", () => {
  it.each([
    { name: "ext4", image: encodeExt4(tree, { ...options, journal: true }), least: large },
    { name: "EROFS", image: encodeErofs(tree, options), least: large - 6 * 4096 },
    {
      name: "FAT",
      image: encodeFat(
        SIZES.map((size, i) => {
          const content = contentOf(size);
          return { type: "file", path: `f${i}`, size, read: () => read(content), content };
        }),
        options,
      ),
      least: large,
    },
  ])("$name", ({ image, least }) => {
    const seen: number[] = [];
    const byReference = flat(resolved(image.pieces(REFER), seen), image.size);
    expect(byReference).toBe(flat(image.writes(), image.size));
    const referred = seen.reduce((sum, length) => sum + length, 0);
    expect(referred).toBeGreaterThanOrEqual(least);
    expect(referred).toBeLessThanOrEqual(large);
  });
});
