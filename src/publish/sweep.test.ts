import { createHash, randomInt } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { directoryPlace } from "../base/directory-place.ts";
import type { SweptPlace } from "../base/place.ts";
import { type MemoryStore, memoryPlace, memoryStore } from "./memory-place.fake.ts";
import { placeTarget } from "./place-target.ts";
import { publishFiles } from "./publish-files.ts";
import { contentPath, newestState } from "./read.ts";
import { SWEPT_AFTER, sweepPlace } from "./sweep.ts";
import type { NewFile } from "./target.ts";

const signal = new AbortController().signal;
const BESIDE = [".sig", ".cdx.json"];
const DAY = SWEPT_AFTER;

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

const sweep = (place: SweptPlace, { dryRun = false } = {}) => sweepPlace(place, { beside: BESIDE, signal, dryRun });

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

/** Runs until it asks for its `at`-th request, and waits there. */
function paused(store: MemoryStore, run: (place: SweptPlace) => Promise<unknown>, at: number) {
  let count = 0;
  let [go, die]: [() => void, () => void] = [() => {}, () => {}];
  let stopped: () => void = () => {};
  const isThere = new Promise<void>((resolve) => {
    stopped = resolve;
  });
  const gate = async () => {
    count++;
    if (count > at && dead) throw new Error("killed");
    if (count !== at) return;
    stopped();
    await new Promise<void>((resolve, reject) => {
      go = resolve;
      die = () => reject(new Error("killed"));
    });
  };
  let dead = false;
  const ended = run(memoryPlace(store, gate)).then(
    () => "ended",
    (error) => error,
  );
  return {
    /** False when it has ended before. */
    reached: async (): Promise<boolean> => await Promise.race([isThere.then(() => true), ended.then(() => false)]),
    end: () => {
      go();
      return ended;
    },
    kill: () => {
      dead = true;
      die();
      return ended;
    },
  };
}

/** Old bytes of version 1 that no state lists, beside a version 2 that one does. */
async function prepared(): Promise<MemoryStore> {
  const store = memoryStore();
  await publish(memoryPlace(store), two!);
  await placeTarget(memoryPlace(store)).put(one!);
  store.now += DAY + 1;
  return store;
}

const roles = {
  publisher: (place: SweptPlace) => publish(place, one!),
  sweeper: (place: SweptPlace) => sweep(place),
} as const;

describe("a publisher and a sweeper at once, each stopped at each of its requests", () => {
  for (const [first, second] of [
    ["publisher", "sweeper"],
    ["sweeper", "publisher"],
  ] as const)
    test.each(["go on", "first dies", "second dies"])(
      `${first}, then ${second}: %s`,
      async (how) => {
        let pairs = 0;
        for (let i = 1; ; i++) {
          let more = false;
          for (let j = 1; ; j++) {
            const store = await prepared();
            const a = paused(store, roles[first], i);
            more = await a.reached();
            const b = paused(store, roles[second], j);
            const reached = await b.reached();
            const ends = [
              how === "first dies" ? await a.kill() : await a.end(),
              how === "second dies" ? await b.kill() : await b.end(),
            ];
            for (const end of ends) expect(["ended", new Error("killed")]).toContainEqual(end);
            pairs++;
            if (how === "go on") await checkWhole(store, 2);
            // Whoever comes next mends what the dead have left.
            await sweep(memoryPlace(store));
            await publish(memoryPlace(store), three!);
            await checkWhole(store, 2);
            store.now += 2 * DAY;
            await sweep(memoryPlace(store));
            store.now += 2 * DAY;
            await sweep(memoryPlace(store));
            await checkWhole(store, 2);
            const left = [...store.files.keys()].filter((name) => /^(files|\.swept)\//.test(name));
            const { state } = (await newestState(memoryPlace(store), signal))!;
            expect(left.sort()).toEqual(state.files.map(contentPath).sort());
            if (!reached) break;
          }
          if (!more) break;
        }
        expect(pairs).toBeGreaterThan(100);
      },
      120_000,
    );

  test("two publishers and two sweepers in any order", async () => {
    for (let round = 0; round < 500; round++) {
      const store = await prepared();
      const waiting: (() => void)[] = [];
      const gate = () => new Promise<void>((resolve) => void waiting.push(resolve));
      const place = () => memoryPlace(store, gate);
      let running = 4;
      const all = [publish(place(), one!), publish(place(), one!), sweep(place()), sweep(place())].map((run) =>
        run.finally(() => {
          running--;
        }),
      );
      while (running > 0) {
        await new Promise((resolve) => setImmediate(resolve));
        waiting.splice(randomInt(Math.max(1, waiting.length)), 1)[0]?.();
      }
      await Promise.all(all);
      await checkWhole(store, 2);
    }
  }, 120_000);
});
