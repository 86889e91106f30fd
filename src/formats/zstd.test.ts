import { execFileSync } from "node:child_process";
import { zstdDecompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { concatBytes } from "../base/bytes.ts";
import { compressZstd } from "./zstd.ts";

/** Half random, half repeating. */
function sample(size: number): Buffer {
  const out = Buffer.alloc(size);
  let state = 1;
  for (let at = 0; at + 4 <= size; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    out.writeUInt32LE((at >> 8) & 1 ? state : (state >>> 28) * 0x0101_0101, at);
  }
  return out;
}

function* cut(bytes: Uint8Array, step: number) {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}

async function compress(bytes: Uint8Array, options: { workers?: number; step?: number; level?: number } = {}) {
  const parts: Uint8Array[] = [];
  const { step = 1024 * 1024, level = 3, ...rest } = options;
  for await (const chunk of compressZstd(cut(bytes, step), { level, ...rest })) parts.push(chunk);
  return concatBytes(parts);
}

const MIB = 1024 * 1024;

describe("compressZstd", () => {
  const big = sample(50 * MIB + 3);

  it("loses nothing, and gives the same bytes for any threads and chunks", async () => {
    const one = await compress(big, { workers: 1 });
    expect(zstdDecompressSync(one, { maxOutputLength: 64 * MIB }).equals(big)).toBe(true);
    for (const options of [{ workers: 2 }, { workers: 8, step: 100_003 }, { workers: 3, step: 40 * MIB }])
      expect((await compress(big, options)).equals(one)).toBe(true);
  }, 60_000);

  it.each([0, 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1])(
    "is one frame that zstd tests as whole: %i bytes",
    async (size) => {
      const zstd = needProgram("zstd", "zstd");
      const input = sample(size);
      const output = await compress(input);
      expect(execFileSync(zstd, ["-dc"], { input: output, maxBuffer: 64 * MIB }).equals(input)).toBe(true);
      expect(output.indexOf(Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), 1)).toBe(-1);
    },
  );

  it("passes on an error of its input", async () => {
    const broken = function* () {
      yield big.subarray(0, 20 * MIB);
      throw new Error("broken input");
    };
    const drain = async () => {
      for await (const _ of compressZstd(broken(), { level: 1 }));
    };
    await expect(drain()).rejects.toThrow("broken input");
  });

  it("can be left early", async () => {
    for await (const _ of compressZstd(cut(big, MIB), { level: 1 })) break;
  });
});
