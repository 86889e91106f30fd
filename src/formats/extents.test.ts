import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Digest, digestOf } from "../base/digest.ts";
import { decodeExtents, type Extent, type ExtentList, encodeExtents, isExtents } from "./extents.ts";
import { VarintWriter } from "./varint-writer.ts";

const blob = (name: string, size: number): Digest => ({ hash: digestOf(name).hash, size });
const A = blob("a", 1000);
const B = blob("b", 50);
const extent = (offset: number, length: number, from = 0, of = A): Extent => ({ offset, length, blob: of, from });
const LIST: ExtentList = { size: 5000, extents: [extent(0, 100, 900), extent(200, 50, 0, B), extent(4000, 1000)] };

/** An encoding by hand, with whatever is wrong in it. */
function forged(size: number, blobs: readonly Digest[], extents: readonly (readonly number[])[], tail = ""): Buffer {
  const out = new VarintWriter();
  out.bytes(Buffer.from("bwexts\0\x01", "latin1"));
  out.varint(size);
  out.varint(blobs.length);
  for (const { hash, size: length } of blobs) {
    out.hex(hash);
    out.varint(length);
  }
  out.varint(extents.length);
  for (const numbers of extents) for (const number of numbers) out.varint(number);
  out.bytes(Buffer.from(tail));
  return out.done();
}

describe("extents", () => {
  it("come back as they were", () => {
    const bytes = encodeExtents(LIST);
    expect(decodeExtents(bytes)).toEqual(LIST);
    expect(isExtents(bytes)).toBe(true);
    expect(isExtents(Buffer.from("bwtree\0\x01"))).toBe(false);
    expect(bytes).toEqual(
      forged(
        5000,
        [A, B],
        [
          [0, 100, 0, 900],
          [100, 50, 1, 0],
          [3750, 1000, 0, 0],
        ],
      ),
    );
  });

  it("may be none: a file of zeros, or an empty one", () => {
    for (const size of [0, 7])
      expect(decodeExtents(encodeExtents({ size, extents: [] }))).toEqual({ size, extents: [] });
  });

  it("have one encoding, however the ranges are cut", () => {
    const cut = fc.array(fc.integer({ min: 1, max: 999 }), { maxLength: 6 });
    fc.assert(
      fc.property(cut, (cuts) => {
        const at = [...new Set([0, ...cuts, 1000])].sort((a, b) => a - b);
        const extents = at.slice(1).map((end, i) => extent(64 + at[i]!, end - at[i]!, at[i]!));
        expect(encodeExtents({ size: 2000, extents })).toEqual(
          encodeExtents({ size: 2000, extents: [extent(64, 1000)] }),
        );
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ["overlap", [extent(0, 100), extent(99, 10, 0, B)]],
    ["go back", [extent(100, 10), extent(0, 10, 0, B)]],
    ["leave the file", [extent(1999, 2)]],
    ["leave their blob", [extent(0, 51, 0, B)]],
    ["are empty", [extent(0, 0)]],
  ])("that %s are not written", (_, extents) => {
    expect(() => encodeExtents({ size: 2000, extents })).toThrow("out of place");
  });

  it.each([
    ["another magic", Buffer.from("bwtree\0\x01\0\0\0"), "wrong magic"],
    ["an end in the middle", encodeExtents(LIST).subarray(0, -1), "ends early"],
    ["bytes behind", forged(10, [], [], "x"), "bytes after the last extent"],
    ["a blob that nobody uses", forged(10, [A], []), "no extent points into"],
    [
      "a blob twice",
      forged(
        10,
        [A, A],
        [
          [0, 1, 0, 0],
          [0, 1, 1, 0],
        ],
      ),
      "listed twice",
    ],
    ["an unknown blob", forged(10, [A], [[0, 1, 1, 0]]), "unknown blob"],
    [
      "blobs in another order",
      forged(
        10,
        [A, B],
        [
          [0, 1, 1, 0],
          [0, 1, 0, 0],
        ],
      ),
      "order of their use",
    ],
    ["an empty extent", forged(10, [A], [[0, 0, 0, 0]]), "an extent is empty"],
    ["an extent past the end", forged(10, [A], [[9, 2, 0, 0]]), "outside the file"],
    ["an extent past its blob", forged(2000, [A], [[0, 500, 0, 501]]), "outside its blob"],
    [
      "one extent in two",
      forged(
        10,
        [A],
        [
          [0, 1, 0, 0],
          [0, 1, 0, 1],
        ],
      ),
      "two extents are one",
    ],
    ["more extents than bytes", Buffer.concat([forged(10, [], []).subarray(0, -1), Buffer.of(0x7f)]), "cannot fit"],
    [
      "a number beyond 2^53",
      Buffer.concat([Buffer.from("bwexts\0\x01", "latin1"), Buffer.alloc(9, 0xff)]),
      "number is",
    ],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => decodeExtents(bytes)).toThrow(message);
    expect(() => decodeExtents(bytes)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });

  it("takes nothing that it would not have written", () => {
    const bytes = encodeExtents(LIST);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), (at, value) => {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        let list: ExtentList;
        try {
          list = decodeExtents(changed);
        } catch (error) {
          expect(error).toMatchObject({ code: "FORMAT_INVALID" });
          return;
        }
        expect(encodeExtents(list)).toEqual(changed);
      }),
      { numRuns: 500 },
    );
  });
});
