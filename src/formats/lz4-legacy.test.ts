import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { hasCode } from "../base/errors.ts";
import { decodeLz4Legacy } from "./lz4-legacy.ts";

const pack = (bytes: Uint8Array): Buffer =>
  spawnSync(needProgram("lz4", "lz4"), ["-l", "-9", "-c", "-"], { input: bytes, maxBuffer: 64 * 1024 * 1024 }).stdout;
const unpack = (bytes: Uint8Array): Buffer => Buffer.concat([...decodeLz4Legacy(bytes, "test")]);

describe("decodeLz4Legacy", () => {
  it.each([
    ["one byte", Buffer.from("a")],
    ["runs", Buffer.concat([Buffer.alloc(100_000, 7), Buffer.from("end"), Buffer.alloc(300, "ab")])],
    [
      "several blocks",
      Buffer.concat(Array.from({ length: 200_000 }, (_, i) => Buffer.from(`line ${i * 7919} of many, with words\n`))),
    ],
    [
      "what cannot be packed",
      Buffer.from(Array.from({ length: 70_000 }, (_, i) => (Math.imul(i, 2_654_435_761) >>> 11) & 255)),
    ],
  ])("unpacks what lz4 packs: %s", (_, bytes) => {
    expect(unpack(pack(bytes)).equals(bytes)).toBe(true);
  });

  it("says what is damaged, and never reads or writes outside", () => {
    const packed = pack(Buffer.from("some words, some more words, and the same words again and again".repeat(20)));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(packed.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.nat(packed.length),
        (changes, length) => {
          const bytes = Buffer.from(packed).subarray(0, length);
          for (const [at, value] of changes) if (at < length) bytes[at] = value;
          try {
            unpack(bytes);
          } catch (error) {
            expect(hasCode(error, "FORMAT_INVALID")).toBe(true);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
