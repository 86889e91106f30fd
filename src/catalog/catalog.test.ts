import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { directoryPlace } from "../base/directory-place.ts";
import type { Place } from "../base/place.ts";
import { minisignKeyOf } from "../formats/minisign.ts";
import { type TinyBundle, tinyBundle } from "./bundle.fake.ts";
import { bundlePath, CURRENT, indexPath, openIndex, signIndex } from "./catalog-index.ts";
import { findBundle, openCatalog } from "./open-catalog.ts";
import { publishBundles } from "./publish-bundle.ts";
import { SeenSerials } from "./seen.ts";
import { compareVersions } from "./version-order.ts";

const { privateKey: secret } = generateKeyPairSync("ed25519");
const keys = [minisignKeyOf(secret)];
const signal = new AbortController().signal;
const NOW = "2026-01-02T03:04:05Z";

const publisher = (target: Place, seen = new SeenSerials(tempDir())) => ({
  publish: (...bundles: TinyBundle[]) =>
    publishBundles(target, { bundles, name: "kernels", secret, keys, seen, now: NOW, signal, dryRun: false }),
  read: () => openCatalog(target, { keys, seen, signal }),
});

const versions = async (target: Place) => (await publisher(target).read()).index.bundles.map((one) => one.version);

describe("publishing", () => {
  test("adds bundles to what is there; each index names the one before it", async () => {
    const store = tempStore();
    const target = directoryPlace(tempDir());
    const { publish, read } = publisher(target);
    await publish(await tinyBundle(store, { version: "1" }), await tinyBundle(store, { version: "2" }));
    const first = await read();
    await publish(await tinyBundle(store, { version: "3" }));
    const second = await read();
    expect([first.index.serial, second.index.serial]).toEqual([1, 2]);
    expect(second.index.previous).toBe(first.digest);
    expect(second.index.bundles.map((one) => one.version)).toEqual(["1", "2", "3"]);
    for (const { sha256, size } of second.index.bundles)
      expect(fs.statSync(path.join(target.address, bundlePath(sha256))).size).toBe(size);
  });

  test("the same bytes again change nothing", async () => {
    const store = tempStore();
    const target = directoryPlace(tempDir());
    const { publish, read } = publisher(target);
    const bundle = await tinyBundle(store, { version: "1" });
    await publish(bundle);
    expect(await publish(bundle)).toMatchObject([{ known: true }]);
    expect((await read()).index.serial).toBe(1);
  });

  test("a version with other bytes is refused, and the next free one is named", async () => {
    const store = tempStore();
    const { publish } = publisher(directoryPlace(tempDir()));
    await publish(await tinyBundle(store, { version: "6.12.48" }), await tinyBundle(store, { version: "6.12.48-1" }));
    await expect(publish(await tinyBundle(store, { version: "6.12.48" }, { initrd: "other" }))).rejects.toMatchObject({
      code: "EXISTS",
      hint: expect.stringContaining("6.12.48-2"),
    });
  });

  test("--dry-run writes nothing", async () => {
    const dir = tempDir();
    const options = { name: "kernels", secret, keys, seen: new SeenSerials(tempDir()), now: NOW, signal, dryRun: true };
    const bundles = [await tinyBundle(tempStore())];
    expect(await publishBundles(directoryPlace(dir), { bundles, ...options })).toMatchObject([{ known: false }]);
    expect(fs.readdirSync(dir)).toEqual([]);
  });

  test("many at once: nobody's bundle is lost", async () => {
    const store = tempStore();
    const dir = tempDir();
    const bundles = await Promise.all(
      Array.from({ length: 12 }, (_, i) => tinyBundle(store, { version: String(i) }, { initrd: `initrd ${i}` })),
    );
    await Promise.all(bundles.map((bundle) => publisher(yielding(directoryPlace(dir))).publish(bundle)));
    expect((await versions(directoryPlace(dir))).sort()).toEqual(bundles.map((one) => one.manifest.version).sort());
  });
});

/** Lets others run before each operation, as a network does. */
const yielding = (target: Place): Place => {
  const late = async <T>(operation: () => Promise<T>): Promise<T> => {
    await new Promise((resolve) => setTimeout(resolve, Math.floor(Math.random() * 4)));
    return operation();
  };
  return {
    ...target,
    read: (...args) => late(() => target.read(...args)),
    putFile: (...args) => late(() => target.putFile(...args)),
    create: (...args) => late(() => target.create(...args)),
    replace: (...args) => late(() => target.replace(...args)),
  };
};

/** Dies at its `at`-th write: before it, or behind it. */
const dying = (target: Place, at: number, when: "before" | "after"): Place => {
  let count = 0;
  const step = async <T>(write: () => Promise<T>): Promise<T> => {
    const mine = ++count;
    if (mine > at || (mine === at && when === "before")) throw new Error("killed");
    const done = await write();
    if (mine === at) throw new Error("killed");
    return done;
  };
  return {
    ...target,
    putFile: (...args) => step(() => target.putFile(...args)),
    create: (...args) => step(() => target.create(...args)),
    replace: (...args) => step(() => target.replace(...args)),
  };
};

describe("a publisher killed at any write", () => {
  const points = [1, 2, 3].flatMap((at) => (["before", "after"] as const).map((when) => [at, when] as const));

  test.each(points)(
    "write %i, %s it: readers see the old or the new, and the next publisher goes on",
    async (at, when) => {
      const store = tempStore();
      const target = directoryPlace(tempDir());
      await publisher(target).publish(await tinyBundle(store, { version: "1" }));
      const second = await tinyBundle(store, { version: "2" }, { initrd: "2" });
      await expect(publisher(dying(target, at, when)).publish(second)).rejects.toThrow("killed");
      expect([["1"], ["1", "2"]]).toContainEqual(await versions(target));
      await publisher(target).publish(await tinyBundle(store, { version: "3" }, { initrd: "3" }));
      const after = await versions(target);
      expect([
        ["1", "3"],
        ["1", "2", "3"],
      ]).toContainEqual(after);
      await publisher(target).publish(second);
      expect([...(await versions(target))].sort()).toEqual(["1", "2", "3"]);
    },
  );
});

describe("reading refuses", () => {
  const made = async () => {
    const store = tempStore();
    const dir = tempDir();
    const target = directoryPlace(dir);
    const seen = new SeenSerials(tempDir());
    const { publish, read } = publisher(target, seen);
    await publish(await tinyBundle(store, { version: "1" }));
    await publish(await tinyBundle(store, { version: "2" }, { initrd: "2" }));
    return { dir, target, seen, read, file: (name: string) => path.join(dir, name) };
  };

  test("an older index than one seen before", async () => {
    const { file, read, target } = await made();
    fs.writeFileSync(file(CURRENT), "1\n");
    await expect(read()).resolves.toMatchObject({ index: { serial: 2 } });
    fs.rmSync(file(indexPath(2)));
    await expect(read()).rejects.toMatchObject({ code: "CATALOG_ROLLBACK", message: /serial 1, and 2 was seen/ });
    await expect(publisher(target).read()).resolves.toMatchObject({ index: { serial: 1 } });
  });

  test("all of it gone, when it was seen before", async () => {
    const { dir, read } = await made();
    fs.rmSync(dir, { recursive: true });
    await expect(read()).rejects.toMatchObject({ code: "CATALOG_ROLLBACK" });
  });

  test("an index under another serial", async () => {
    const { file, target } = await made();
    fs.copyFileSync(file(indexPath(1)), file(indexPath(2)));
    await expect(publisher(target).read()).rejects.toMatchObject({ code: "FORMAT_INVALID", message: /serial is 1/ });
  });

  test("a changed byte, wherever it is", async () => {
    const { file, target } = await made();
    const good = fs.readFileSync(file(indexPath(2)));
    const start = good.indexOf(0x0a) + 1; // The untrusted comment is just that.
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: start, max: good.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, x) => {
          const bad = Buffer.from(good);
          bad[at]! ^= x;
          fs.writeFileSync(file(indexPath(2)), bad);
          await expect(publisher(target).read()).rejects.toMatchObject({ name: "BootwrightError" });
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a stranger's signature", async () => {
    const { file, target } = await made();
    const stranger = generateKeyPairSync("ed25519").privateKey;
    const { index } = await publisher(target).read();
    fs.writeFileSync(file(indexPath(2)), signIndex(index, stranger));
    await expect(publisher(target).read()).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
  });

  test("a pointer that is no serial, or leads nowhere", async () => {
    const { file, target } = await made();
    for (const text of ["", "../1", "x", "99\n"]) {
      fs.writeFileSync(file(CURRENT), text);
      await expect(publisher(target).read()).rejects.toMatchObject({ code: "FORMAT_INVALID" });
    }
  });

  test("a place without a catalog", async () => {
    await expect(publisher(directoryPlace(tempDir())).read()).rejects.toMatchObject({ code: "CATALOG_MISSING" });
  });

  test("whatever else the file holds", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        expect(() => openIndex(bytes, { keys, what: "x" })).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/FORMAT_INVALID|SIGNATURE_INVALID/) }),
        );
      }),
    );
  });
});

describe("choosing", () => {
  const catalog = async () => {
    const store = tempStore();
    const { publish, read } = publisher(directoryPlace(tempDir()));
    for (const version of ["6.12.9", "6.12.10", "6.12.8"]) await publish(await tinyBundle(store, { version }));
    return read();
  };

  test("takes the newest, or the one that is named", async () => {
    const opened = await catalog();
    const wish = { name: "generic-6.12", arch: "x86_64" } as const;
    expect(findBundle(opened, wish).version).toBe("6.12.10");
    expect(findBundle(opened, { ...wish, version: "6.12.8" }).version).toBe("6.12.8");
  });

  test("says what there is instead", async () => {
    const opened = await catalog();
    const wish = { name: "generic-6.12", arch: "x86_64" } as const;
    const refused = (changed: object) => {
      try {
        findBundle(opened, { ...wish, ...changed });
      } catch (error) {
        return error;
      }
    };
    expect(refused({ name: "other" })).toMatchObject({ code: "NAME_UNKNOWN", hint: "it has: generic-6.12" });
    expect(refused({ arch: "aarch64" })).toMatchObject({ code: "ARCH_MISMATCH", hint: "it has it for x86_64" });
    expect(refused({ version: "7" })).toMatchObject({ code: "NAME_UNKNOWN", hint: "it has: 6.12.10, 6.12.9, 6.12.8" });
  });

  test("versions in order", () => {
    const sorted = ["6.1", "6.12~rc1", "6.12-rc2", "6.12", "6.12-1", "6.12.1", "6.12.9", "6.12.9-2", "6.12.10", "6.13"];
    for (const [i, a] of sorted.entries())
      for (const [j, b] of sorted.entries())
        if (!(a.includes("rc") && b.includes("rc"))) expect(Math.sign(compareVersions(a, b))).toBe(Math.sign(i - j));
  });
});
