import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { afterAll, expect, it } from "vitest";
import { ChunkWriter } from "./chunk-writer.ts";

const dir = fs.mkdtempSync(path.join(os.tmpdir(), "chunk-writer-"));
afterAll(() => fs.rmSync(dir, { recursive: true }));

it.each([1, 8])("with %i writes at once, the file holds the chunks in order", async (open) => {
  const file = path.join(dir, `order-${open}`);
  const handle = await fs.promises.open(file, "wx");
  const writer = new ChunkWriter(handle, { open });
  const chunks = Array.from({ length: 100 }, (_, i) => Buffer.alloc((i * 7919) % 5000, i));
  for (const chunk of chunks) await writer.write(chunk);
  await writer.end();
  await handle.close();
  expect(fs.readFileSync(file).equals(Buffer.concat(chunks))).toBe(true);
});

it("says what an earlier write threw, and settles without throwing", async () => {
  const file = path.join(dir, "readonly");
  fs.writeFileSync(file, "");
  const handle = await fs.promises.open(file, "r"); // Writing to it fails.
  const writer = new ChunkWriter(handle, { open: 8 });
  const all = async () => {
    for (let i = 0; i < 20; i++) await writer.write(Buffer.alloc(10));
    await writer.end();
  };
  await expect(all()).rejects.toMatchObject({ code: "EBADF" });
  await writer.settle();
  await handle.close();
});
