/** Directories and stores of one test; gone when it ends. */
import { mkdtempSync, readdirSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { removeTree } from "../../src/base/fs.ts";
import { Store } from "../../src/store/store.ts";

/** The name has a space and a letter outside ASCII, as a user's may. */
export function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "bootwright tést-"));
  onTestFinished(() => removeTree(dir));
  return dir;
}

export function tempStore(dir: string = tempDir()): Store {
  const store = new Store(dir);
  onTestFinished(() => store.close());
  return store;
}

/** Every file and directory below, with size and times: what must be the same when nothing was written. */
export const listing = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const { size, mtimeMs, mode } = statSync(join(dir, name));
      return `${name} ${mode.toString(8)} ${size} ${mtimeMs}`;
    });
