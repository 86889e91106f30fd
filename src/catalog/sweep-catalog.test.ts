import { generateKeyPairSync } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { digestOf } from "../base/digest.ts";
import { directoryPlace } from "../base/directory-place.ts";
import { testInterleaved } from "../base/interleaved.fake.ts";
import { type MemoryStore, memoryPlace, memoryStore } from "../base/memory-place.fake.ts";
import type { Place, SweptPlace } from "../base/place.ts";
import { SWEPT_AFTER } from "../base/sweep.ts";
import { minisignKeyOf } from "../formats/minisign.ts";
import { exportCatalog, importCatalog } from "./carry-catalog.ts";
import { bundlePath, CURRENT, indexPath, signIndex } from "./catalog-index.ts";
import { findNewest, openCatalog } from "./open-catalog.ts";
import { type NewBundle, publishBundles } from "./publish-bundle.ts";
import { SeenSerials } from "./seen.ts";
import { sweepCatalog } from "./sweep-catalog.ts";

const { privateKey: secret } = generateKeyPairSync("ed25519");
const keys = [minisignKeyOf(secret)];
const { signal } = new AbortController();
/** Who has seen nothing believes what is there, and writes nothing down. */
class Forgetful extends SeenSerials {
  override remember(): void {}
}
const fresh = () => ({ keys, seen: new Forgetful("/nowhere"), signal });

/** Nobody looks into them here. */
function bundleOf(version: string): NewBundle {
  const content = `kernel ${version}`;
  const local = path.join(tempDir(), "bundle");
  fs.writeFileSync(local, content);
  const about = { name: "generic", arch: "x86_64", release: "", features: [], provenance: {}, files: {} } as const;
  const { hash: sha256, size } = digestOf(Buffer.from(content));
  return { manifest: { ...about, version }, local, size, sha256 };
}

let [one, two, three]: NewBundle[] = [];
beforeEach(() => {
  [one, two, three] = ["1", "2", "3"].map(bundleOf);
});

const publish = (place: Place, bundle: NewBundle) =>
  publishBundles(place, {
    ...{ ...fresh(), bundles: [bundle], name: "kernels", secret },
    ...{ now: "2026-01-02T03:04:05Z", dryRun: false },
  });
const sweep = (place: SweptPlace, { dryRun = false } = {}) => sweepCatalog(place, { ...fresh(), dryRun });
const put = (place: Place, { sha256, local, size }: NewBundle) => place.putFile(bundlePath(sha256), { local, size });

/** The same place, so much later. */
const later = (place: SweptPlace, ms: number): SweptPlace => ({ ...place, now: async () => (await place.now()) + ms });

const shown = (swept: Awaited<ReturnType<typeof sweep>>) => swept.map(({ action, path }) => `${action} ${path}`).sort();

describe("what is left over", () => {
  test("of a directory: nothing that is young, named or not ours; the rest goes in two days", async () => {
    const dir = tempDir();
    const place = directoryPlace(dir);
    expect(await sweep(place)).toEqual([]);
    await publish(place, one!);
    await put(place, two!);
    const names = ["bundles/.tmp-12-0123456789ab", "index/.tmp-12-0123456789ab", ".tmp-12-0123456789ab"];
    for (const name of [...names, "bundles/notes.txt", "files.txt"]) fs.writeFileSync(path.join(dir, name), "x");
    const all = (): string[] => fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
    const before = all();
    expect(await sweep(later(place, SWEPT_AFTER - 60_000))).toEqual([]);
    const found = await sweep(later(place, SWEPT_AFTER + 1), { dryRun: true });
    expect(shown(found)).toEqual(
      [...names.map((name) => `removed ${name}`), `set aside ${bundlePath(two!.sha256)}`].sort(),
    );
    expect(all()).toEqual(before);
    expect(await sweep(later(place, SWEPT_AFTER + 1))).toEqual(found);
    expect(await sweep(place)).toEqual([]);
    expect(await sweep(later(place, SWEPT_AFTER + 1))).toMatchObject([{ action: "removed", size: two!.size }]);
    expect(all()).toEqual([...before.filter((name) => !found.some((swept) => swept.path === name)), ".swept"].sort());
    await openCatalog(place, fresh());
  });

  test("a bundle stays that any index names which lies there: an older one, one of another key, one without `current`", async () => {
    const store = memoryStore();
    const place = memoryPlace(store);
    await publish(place, one!);
    await publish(place, two!);
    const { newest } = await findNewest(place, fresh());
    const index = { ...newest!.index, serial: 3, previous: newest!.digest, bundles: newest!.index.bundles.slice(1) };
    await place.create(indexPath(3), signIndex(index, secret));
    const other = generateKeyPairSync("ed25519").privateKey;
    await put(place, three!);
    const strange = { ...index, serial: 7, bundles: [{ ...index.bundles[0]!, sha256: three!.sha256 }] };
    await place.create(indexPath(7), signIndex(strange, other));
    store.now += 2 * SWEPT_AFTER;
    expect(await sweep(place)).toEqual([]);
    await place.remove(CURRENT);
    await place.remove(indexPath(1));
    expect(shown(await sweep(place))).toEqual([]);
    await place.remove(indexPath(7));
    expect(shown(await sweep(place))).toEqual([`set aside ${bundlePath(three!.sha256)}`]);
  });

  test("an index that says nothing ends the sweep, and a catalog that was seen and is gone", async () => {
    const store = memoryStore();
    const place = memoryPlace(store);
    const options = { ...fresh(), seen: new SeenSerials(tempDir()), dryRun: false };
    await publish(place, one!);
    store.now += 2 * SWEPT_AFTER;
    expect(await sweepCatalog(place, options)).toEqual([]);
    await place.create(indexPath(9), Buffer.from("half an index"));
    await expect(sweepCatalog(place, options)).rejects.toMatchObject({ code: "FORMAT_INVALID" });
    for (const name of [CURRENT, indexPath(1), indexPath(9)]) await place.remove(name);
    await expect(sweepCatalog(place, options)).rejects.toMatchObject({ code: "CATALOG_ROLLBACK" });
    expect(store.files.has(bundlePath(one!.sha256))).toBe(true);
  });
});

/** All that the newest index names is there, and `current` leads to it. */
async function checkWhole(store: MemoryStore, { atLeast }: { atLeast: number }): Promise<void> {
  const { current, newest } = await findNewest(memoryPlace(store), fresh());
  expect(current).toBe(newest);
  expect(newest!.index.bundles.length).toBeGreaterThanOrEqual(atLeast);
  for (const { sha256, size } of newest!.index.bundles)
    expect(store.files.get(bundlePath(sha256))?.bytes.length).toBe(size);
}

/** An old bundle that no index names, beside one that is published. */
async function prepared(): Promise<MemoryStore> {
  const store = memoryStore();
  await publish(memoryPlace(store), two!);
  await put(memoryPlace(store), one!);
  store.now += SWEPT_AFTER + 1;
  return store;
}

const roles = {
  prepared,
  checkWhole,
  sweeper: (place: SweptPlace) => sweep(place),
  named: async (store: MemoryStore) =>
    (await openCatalog(memoryPlace(store), fresh())).index.bundles.map(({ sha256 }) => bundlePath(sha256)),
  bytes: /^(bundles|\.swept)\//,
};

describe("a publisher and a sweeper at once, each stopped at each of its requests", () => {
  testInterleaved({
    ...roles,
    publisher: (place) => publish(place, one!),
    nextPublisher: (place) => publish(place, three!),
  });
});

test("whoever writes down the index of a publisher that was killed puts back what it names and lies aside", async () => {
  const store = memoryStore();
  const place = memoryPlace(store);
  await publish(place, one!);
  const killed = { ...place, stat: () => Promise.reject(new Error("killed")) };
  await expect(publish(killed, two!)).rejects.toThrow("killed");
  const { current, newest } = await findNewest(place, fresh());
  expect([current!.index.serial, newest!.index.serial]).toEqual([1, 2]);
  await place.move(bundlePath(two!.sha256), `.swept/${"0".repeat(16)}.${two!.sha256}.tar.zst`);
  await publish(place, three!);
  await checkWhole(store, { atLeast: 3 });
});

describe("who brings a catalog in a file, and a sweeper", () => {
  let [file, scratch] = ["", ""];
  beforeEach(async () => {
    const from = directoryPlace(tempDir());
    await publish(from, two!);
    await publish(from, one!);
    scratch = tempDir();
    file = path.join(scratch, "kernels.tar");
    const catalog = await openCatalog(from, fresh());
    const bundleFile = ({ sha256 }: { sha256: string }) => path.join(from.address, bundlePath(sha256));
    await exportCatalog(from, { catalog, file, bundleFile, signal });
  });
  const take = (place: Place) => importCatalog(place, { ...fresh(), file, scratch, dryRun: false });
  /** A sweeper takes a bundle just before `current` leads to it. */
  const robbed = (store: MemoryStore, take: (place: SweptPlace, content: string) => Promise<unknown>): Place => {
    const place = memoryPlace(store);
    const replace: Place["replace"] = async (name, bytes) => {
      await take(place, bundlePath(one!.sha256));
      await place.replace(name, bytes);
    };
    return { ...place, replace };
  };

  test("a bundle that was taken before `current` led to it comes back, or is brought again; so with the next import", async () => {
    const aside = `.swept/${"0".repeat(16)}.${one!.sha256}.tar.zst`;
    for (const how of [
      (place: SweptPlace, content: string) => place.move(content, aside),
      (place: SweptPlace, content: string) => place.remove(content),
    ]) {
      const store = memoryStore();
      await take(robbed(store, how));
      await checkWhole(store, { atLeast: 2 });
      await how(memoryPlace(store), bundlePath(one!.sha256));
      expect(await take(memoryPlace(store))).toMatchObject({ known: true });
      await checkWhole(store, { atLeast: 2 });
    }
  });

  const nextPublisher = async (place: Place) => {
    await take(place);
    await publish(place, three!);
  };
  const some = process.env.BOOTWRIGHT_TEST_FULL === "1" ? {} : { stride: 3, rounds: 50 };
  testInterleaved({ ...roles, publisher: take, nextPublisher }, some);
});
