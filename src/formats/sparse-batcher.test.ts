import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../base/bytes.ts";
import { SparseBatcher } from "./sparse-batcher.ts";
import { fillHoles, type SparseWrite } from "./sparse-write.ts";

const KIB = 1024;

/** The batcher uses its buffer again. */
const copied = ({ offset, bytes }: SparseWrite): SparseWrite => ({ offset, bytes: Buffer.from(bytes) });

function writeAll(pieces: readonly { at: number; bytes: Uint8Array }[]) {
  const out = new SparseBatcher();
  const writes: SparseWrite[] = [];
  for (const { at, bytes } of pieces) {
    out.seek(at);
    for (const write of out.write(bytes)) writes.push(copied(write));
  }
  for (const write of out.flush()) writes.push(copied(write));
  return writes;
}

describe("SparseBatcher", () => {
  it("writes what it was given, in rising order, whatever the pieces", () => {
    const piece = fc.record({
      gap: fc.nat(100 * KIB),
      length: fc.oneof(fc.nat(5000), fc.nat(700 * KIB)),
      zeroFrom: fc.nat(400 * KIB),
      zeros: fc.nat(300 * KIB),
    });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        let size = 0;
        const placed = pieces.map(({ gap, length, zeroFrom, zeros }) => {
          const bytes = Buffer.alloc(length, 0xa5).fill(
            0,
            Math.min(length, zeroFrom),
            Math.min(length, zeroFrom + zeros),
          );
          const at = size + gap;
          size = at + length;
          return { at, bytes };
        });
        const wanted = Buffer.alloc(size);
        for (const { at, bytes } of placed) wanted.set(bytes, at);
        expect(concatBytes([...fillHoles(writeAll(placed), size)]).equals(wanted)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("leaves zeros out, but not few of them", () => {
    const bytes = Buffer.alloc(1000 * KIB, 1)
      .fill(0, 100 * KIB, 300 * KIB)
      .fill(0, 400 * KIB, 440 * KIB);
    expect(writeAll([{ at: 8192, bytes }]).map((write) => [write.offset, write.bytes.length])).toEqual([
      [8192, 100 * KIB],
      [8192 + 300 * KIB, 700 * KIB],
    ]);
    expect(writeAll([{ at: 0, bytes: Buffer.alloc(1000 * KIB) }])).toEqual([]);
  });

  it("copies small pieces, and refuses to go back", () => {
    const shared = Buffer.from("one");
    const out = new SparseBatcher();
    expect([...out.write(shared)]).toEqual([]);
    shared.write("two");
    const [first] = [...out.flush()];
    expect(Buffer.from(first!.bytes).toString()).toBe("one");
    expect(() => out.seek(2)).toThrow("out of order");
  });
});
