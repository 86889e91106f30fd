import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { decompress } from "./decompress.ts";

const text = Buffer.from("some text that repeats, ".repeat(20_000));

async function unpack(
  bytes: Uint8Array,
  options: { step?: number; maxSize?: number; padded?: boolean } = {},
): Promise<Buffer> {
  const { step = 64 * 1024, ...rest } = options;
  const chunks = Array.from({ length: Math.ceil(bytes.length / step) }, (_, i) =>
    bytes.subarray(i * step, (i + 1) * step),
  );
  const parts: Uint8Array[] = [];
  for await (const chunk of decompress(chunks, { what: "test", ...rest })) parts.push(chunk);
  return concatBytes(parts);
}

describe("decompress", () => {
  it("knows gzip, zstd and plain bytes by their start, whatever the chunks", async () => {
    for (const bytes of [gzipSync(text), zstdCompressSync(text), text])
      for (const step of [1000, 1_000_000]) expect((await unpack(bytes, { step })).equals(text)).toBe(true);
    expect(await unpack(new Uint8Array(0))).toHaveLength(0);
  });

  it("never takes a part for the whole", async () => {
    for (const bytes of [gzipSync(text), zstdCompressSync(text)])
      for (let length = 7; length < bytes.length; length++)
        await expect(unpack(bytes.subarray(0, length))).rejects.toThrow(
          expect.objectContaining({ code: "FORMAT_INVALID" }),
        );
    const two = Buffer.concat([zstdCompressSync(text), zstdCompressSync(text)]);
    await expect(unpack(two)).rejects.toThrow(/more data behind the first frame/);
  });

  it("takes zeros behind the data where they are padding, and nothing else", async () => {
    for (const bytes of [gzipSync(text), zstdCompressSync(text)])
      for (const zeros of [0, 1, 3])
        for (const step of [1, bytes.length, bytes.length + 1, bytes.length + zeros]) {
          const padded = Buffer.concat([bytes, Buffer.alloc(zeros)]);
          expect((await unpack(padded, { step, padded: true })).equals(text)).toBe(true);
        }
    const whole = zstdCompressSync(text);
    for (const more of [Buffer.alloc(4), Buffer.from([0, 0, 1]), Buffer.from([1])])
      await expect(unpack(Buffer.concat([whole, more]), { padded: true })).rejects.toThrow(/behind the first frame/);
    for (let length = whole.length - 8; length < whole.length; length++)
      await expect(unpack(whole.subarray(0, length), { padded: true })).rejects.toThrow("damaged zstd data");
    await expect(unpack(Buffer.concat([whole, Buffer.alloc(1)]))).rejects.toThrow(/behind the first frame/);
  });

  it("stops at the limit", async () => {
    await expect(unpack(gzipSync(text), { maxSize: 1000 })).rejects.toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
  });

  it("throws coded errors for random bytes behind a magic", async () => {
    const magic = fc.constantFrom("1f8b08", "28b52ffd", "fd377a585a00");
    await fc.assert(
      fc.asyncProperty(magic, fc.uint8Array({ maxLength: 100 }), async (head, tail) => {
        try {
          await unpack(Buffer.concat([Buffer.from(head, "hex"), tail]));
        } catch (error) {
          expect(error).toBeInstanceOf(BootwrightError);
        }
      }),
      { numRuns: 50 },
    );
  });
});
