import { Readable } from "node:stream";
import { finished } from "node:stream/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { onLines } from "./lines.ts";

async function linesOf(
  chunks: readonly (Buffer | string)[],
  maxLine = 100,
): Promise<{ lines: string[]; long: number }> {
  const stream = Readable.from(chunks, { objectMode: false });
  const lines: string[] = [];
  let long = 0;
  onLines(stream, { maxLine, onLine: (line) => lines.push(line), onTooLong: () => long++ });
  await finished(stream);
  return { lines, long };
}

test("lines come whole however they are cut into chunks", async () => {
  const text = "first\nsecond ü\r\n\nlast\n";
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat({ max: 30 }), { maxLength: 6 }), async (cuts) => {
      const bytes = Buffer.from(text);
      const places = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).sort((a, b) => a - b), bytes.length];
      const chunks = places.slice(1).map((place, i) => bytes.subarray(places[i], place));
      const { lines } = await linesOf(chunks.filter((chunk) => chunk.length > 0));
      expect(lines).toEqual(["first", "second ü", "", "last"]);
    }),
  );
});

test("a line over the bound is dropped whole, and told once", async () => {
  expect(await linesOf(["ok\n", "x".repeat(80), "x".repeat(80), "x".repeat(80), "\nnext\n"])).toEqual({
    lines: ["ok", "next"],
    long: 1,
  });
});

test("an unfinished last line is no line", async () => {
  expect((await linesOf(["whole\npart"])).lines).toEqual(["whole"]);
});
