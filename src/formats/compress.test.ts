import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { compress } from "./compress.ts";

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk);
  return Buffer.concat(parts);
}
const data = Buffer.from("text ".repeat(500_000));
function* pieces(): Generator<Uint8Array> {
  for (let at = 0; at < data.length; at += 99_991) yield data.subarray(at, at + 99_991);
}
function* failing(): Generator<Uint8Array> {
  yield Buffer.from("x");
  throw new Error("blob is gone");
}

describe.each([
  ["gzip", gunzipSync],
  ["zstd", zstdDecompressSync],
] as const)("%s", (kind, decompress) => {
  it("comes back, and is the same however the input is cut", async () => {
    const [whole, cut] = [
      await collect(compress([data], { kind, level: 3 })),
      await collect(compress(pieces(), { kind, level: 3 })),
    ];
    expect(decompress(whole).equals(data)).toBe(true);
    expect(cut.equals(whole)).toBe(true);
  });

  it("of nothing is a frame of nothing", async () => {
    expect(decompress(await collect(compress([], { kind, level: 3 })))).toHaveLength(0);
  });

  it("an error of the input comes out where it is read, even when that begins late", async () => {
    const compressed = compress(failing(), { kind, level: 3 });
    await sleep(20);
    await expect(collect(compressed)).rejects.toThrow("blob is gone");
  });

  it("can be left half-way", async () => {
    for await (const _ of compress(pieces(), { kind, level: 3 })) break;
  });
});
