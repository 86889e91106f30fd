import fs from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { requireCaseSensitive } from "./case-sensitive.ts";

it("is content with a file system that tells names apart, and leaves nothing on it", () => {
  const dir = tempDir();
  requireCaseSensitive(dir, { stage: "kernel:k" });
  expect(fs.readdirSync(dir)).toEqual([]);
});

it("explains one that does not", () => {
  const dir = tempDir();
  const names = (): string[] => fs.readdirSync(dir).map((name) => name.toLowerCase());
  const exists = (file: string): boolean => names().includes(path.basename(file).toLowerCase());
  expect(() => requireCaseSensitive(dir, { stage: "kernel:k", exists })).toThrow(
    expect.objectContaining({
      code: "UNSUPPORTED",
      message: expect.stringContaining("kernel:k"),
      detail: expect.stringContaining(dir),
      hint: expect.stringContaining("BOOTWRIGHT_STORE"),
    }),
  );
  expect(fs.readdirSync(dir)).toEqual([]);
});
