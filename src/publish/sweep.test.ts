import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { directoryPlace } from "../base/directory-place.ts";
import { testInterleaved } from "../base/interleaved.fake.ts";
import { type MemoryStore, memoryPlace, memoryStore } from "../base/memory-place.fake.ts";
import type { SweptPlace } from "../base/place.ts";
import { SWEPT_AFTER as DAY } from "../base/sweep.ts";
import { placeTarget } from "./place-target.ts";
import { publishFiles } from "./publish-files.ts";
import { contentPath, newestState } from "./read.ts";
import { sweepFiles } from "./sweep.ts";
import type { NewFile } from "./target.ts";

const signal = new AbortController().signal;
const BESIDE = [".sig", ".cdx.json"];

function kernelFile(version: string): NewFile {
  const content = `kernel ${version}`;
  const local = path.join(tempDir(), "file");
  fs.writeFileSync(local, content);
  const about = { publication: "kernel", image: "efi", kind: "efi", immutable: [], arch: "x86_64", kernel: "" };
  return {
    ...{ ...about, name: `vmlinuz-${version}.efi`, moving: ["latest"], version, size: content.length, local },
    sha256: createHash("sha256").update(content).digest("hex"),
  };
}

const publish = (place: SweptPlace, file: NewFile, keep = 10) =>
  publishFiles(placeTarget(place), {
    ...{ files: [file], keep: { kernel: keep }, protectedDigests: new Set(), views: ["SHA256SUMS"], secret: undefined },
    ...{ now: "2026-01-02T03:04:05Z", signal, dryRun: false },
  });

const sweep = (place: SweptPlace, { dryRun = false } = {}) => sweepFiles(place, { beside: BESIDE, signal, dryRun });

/** The same place, so much later. */
const later = (place: SweptPlace, ms: number): SweptPlace => ({ ...place, now: async () => (await place.now()) + ms });

let [one, two, three]: NewFile[] = [];
beforeEach(() => {
  [one, two, three] = ["1", "2", "3"].map(kernelFile);
});

describe("what is left over", () => {
  test("of a directory: nothing that is young, listed or not ours; the rest goes in two days", async () => {
    const dir = tempDir();
    const place = directoryPlace(dir);
    expect(await sweep(place)).toEqual([]);
    await publish(place, one!, 1);
    await publish(place, two!, 1);
    await placeTarget(place).put(three!);
    const names = [
      ".tmp-12-0123456789ab",
      "files/.tmp-12-0123456789ab",
      ".tmp-mine",
      "vmlinuz-1.efi.sig",
      "my.efi.sig",
    ];
    for (const name of [...names, "vmlinuz-2.efi.sig", "files/notes.txt"]) fs.writeFileSync(path.join(dir, name), "x");
    const all = (): string[] => fs.readdirSync(dir, { recursive: true, encoding: "utf8" }).sort();
    const before = all();
    expect(await sweep(later(place, DAY - 60_000))).toEqual([]);
    const found = await sweep(later(place, DAY + 1), { dryRun: true });
    expect(found.map((swept) => `${swept.action} ${swept.path}`).sort()).toEqual([
      ...["removed .tmp-12-0123456789ab", "removed files/.tmp-12-0123456789ab", "removed vmlinuz-1.efi.sig"],
      `set aside ${contentPath(three!)}`,
    ]);
    expect(all()).toEqual(before);
    expect(await sweep(later(place, DAY + 1))).toEqual(found);
    expect(all()).not.toContain(contentPath(three!));
    expect(await sweep(place)).toEqual([]);
    expect(await sweep(later(place, DAY + 1))).toMatchObject([{ action: "removed", size: three!.size }]);
    expect(all()).toEqual([...before.filter((name) => !found.some((swept) => swept.path === name)), ".swept"].sort());
    expect(fs.readFileSync(path.join(dir, "kernel-latest.efi"), "utf8")).toBe("kernel 2");
  });

  test("a publisher that finds old bytes makes them young", async () => {
    const place = directoryPlace(tempDir());
    await placeTarget(place).put(one!);
    const at = path.join(place.address, contentPath(one!));
    fs.utimesSync(at, 1, 1);
    await placeTarget(place).put(one!);
    expect(fs.statSync(at).mtimeMs).toBeGreaterThan(DAY);
    expect(await sweep(place)).toEqual([]);
  });

  test("bytes that are listed and were set aside come back by a sweep, or by whoever names them", async () => {
    for (const heal of [sweep, (place: SweptPlace) => publish(place, two!)]) {
      const store = memoryStore();
      const place = memoryPlace(store);
      await publish(place, one!);
      await place.move(contentPath(one!), contentPath(one!).replace("files/", `.swept/${"0".repeat(16)}.`));
      store.files.delete(one!.name);
      await heal(place);
      await publish(place, three!);
      await checkWhole(store, 1);
    }
  });
});

/** All that is listed is there, under its name, too. */
async function checkWhole(store: MemoryStore, atLeast: number): Promise<void> {
  const { state, settled } = (await newestState(memoryPlace(store), signal))!;
  expect(state.files.length).toBeGreaterThanOrEqual(atLeast);
  expect(settled).toBe(state.serial);
  for (const file of state.files)
    for (const at of [contentPath(file), file.name])
      expect(store.files.get(at)?.bytes.toString(), at).toBe(`kernel ${file.version}`);
}

/** Old bytes of version 1 that no state lists, beside a version 2 that one does. */
async function prepared(): Promise<MemoryStore> {
  const store = memoryStore();
  await publish(memoryPlace(store), two!);
  await placeTarget(memoryPlace(store)).put(one!);
  store.now += DAY + 1;
  return store;
}

describe("a publisher and a sweeper at once, each stopped at each of its requests", () => {
  testInterleaved({
    prepared,
    publisher: (place) => publish(place, one!),
    sweeper: sweep,
    nextPublisher: (place) => publish(place, three!),
    checkWhole: (store, { atLeast }) => checkWhole(store, atLeast),
    named: async (store) => (await newestState(memoryPlace(store), signal))!.state.files.map(contentPath),
    bytes: /^(files|\.swept)\//,
  });
});
