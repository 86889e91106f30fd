import fs from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { fileRange } from "./file-range.ts";

const BYTES = Buffer.from(Array.from({ length: 300_001 }, (_, i) => i % 251));

async function read(from: number, to: number): Promise<Buffer[]> {
  const name = path.join(tempDir(), "file");
  fs.writeFileSync(name, BYTES);
  await using handle = await fs.promises.open(name, "r");
  const chunks: Buffer[] = [];
  for await (const chunk of fileRange(handle, { name: "the file", from, to })) chunks.push(chunk);
  return chunks;
}

it("gives the bytes of a part in small chunks that keep their content", async () => {
  const chunks = await read(7, 300_000);
  expect(Buffer.concat(chunks).equals(BYTES.subarray(7, 300_000))).toBe(true);
  expect(chunks.map(({ length }) => length)).toEqual([65_536, 65_536, 65_536, 65_536, 37_849]);
  expect(await read(5, 5)).toEqual([]);
});

it("says that the file has become shorter", async () => {
  await expect(read(0, 300_002)).rejects.toMatchObject({
    code: "SIZE_MISMATCH",
    message: "the file ends after 300001 bytes, not 300002: it was changed",
  });
});
