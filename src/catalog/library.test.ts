import fs from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import type { Store } from "../store/store.ts";
import { tinyBundle } from "./bundle.fake.ts";
import { Library } from "./library.ts";
import { encodeManifest } from "./manifest.ts";
import { BundleUses } from "./uses.ts";

const origin = { kind: "import", from: "/somewhere", at: "2026-01-02T03:04:05Z" } as const;

async function add(library: Library, store: Store, version: string, initrd = version) {
  const { local, ...bundle } = await tinyBundle(store, { version }, { initrd });
  const manifestBytes = Buffer.from(encodeManifest(bundle.manifest));
  return library.add({ ...bundle, origin }, { from: local, manifestBytes });
}

describe("library", () => {
  test("keeps bundles, newest first, and finds them by name and version", async () => {
    const library = new Library(tempDir());
    const store = tempStore();
    for (const version of ["1.9", "1.10"]) await add(library, store, version);
    expect(library.list().map(({ manifest }) => manifest.version)).toEqual(["1.10", "1.9"]);
    expect(library.find({ name: "generic-6.12" })?.manifest.version).toBe("1.10");
    expect(library.find({ name: "generic-6.12", version: "1.9" })?.manifest.version).toBe("1.9");
    expect(library.find({ name: "generic-6.12", arch: "aarch64" })).toBeUndefined();
  });

  test("lasts longer than the store that it was packed in", async () => {
    const library = new Library(tempDir());
    const storeDir = tempDir();
    const kept = await add(library, tempStore(storeDir), "1");
    fs.rmSync(storeDir, { recursive: true });
    expect(fs.statSync(kept.file).size).toBe(kept.size);
  });

  test("the same bytes again are no mistake, others of the same version are", async () => {
    const library = new Library(tempDir());
    const store = tempStore();
    await add(library, store, "1");
    await expect(add(library, store, "1")).resolves.toBeDefined();
    await expect(add(library, store, "1", "other")).rejects.toMatchObject({ code: "EXISTS" });
  });

  test("removes one, and leaves nothing of it", async () => {
    const dir = tempDir();
    const library = new Library(dir);
    const kept = await add(library, tempStore(), "1");
    library.remove(kept);
    expect(library.list()).toEqual([]);
    expect(fs.readdirSync(dir, { recursive: true }).filter((name) => String(name).includes("tar.zst"))).toEqual([]);
  });

  test("passes over what is not whole", async () => {
    const library = new Library(tempDir());
    const kept = await add(library, tempStore(), "1");
    fs.writeFileSync(path.join(path.dirname(kept.file), "record.json"), "{");
    expect(library.list()).toEqual([]);
  });
});

describe("uses", () => {
  const project = (dir: string, sha256: string) => {
    const config = path.join(dir, "bootwright.yaml");
    const lockFile = path.join(dir, "bootwright.lock");
    fs.writeFileSync(config, "name: x\n");
    fs.writeFileSync(lockFile, JSON.stringify({ pin: sha256 }));
    return { config, lockFile };
  };
  const sha256 = "ab".repeat(32);

  test("are true while the project's lock pins the bundle", () => {
    const uses = new BundleUses(tempDir());
    const { config, lockFile } = project(tempDir(), sha256);
    uses.note(config, { lockFile, bundles: [sha256] });
    expect(uses.of(sha256)).toEqual([config]);
    expect(uses.of("cd".repeat(32))).toEqual([]);
    fs.writeFileSync(lockFile, "{}");
    expect(uses.of(sha256)).toEqual([]);
  });

  test("end with the project", () => {
    const uses = new BundleUses(tempDir());
    const { config, lockFile } = project(tempDir(), sha256);
    uses.note(config, { lockFile, bundles: [sha256] });
    fs.rmSync(config);
    expect(uses.of(sha256)).toEqual([]);
  });
});
