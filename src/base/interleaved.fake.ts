/** Two at one place in memory, each stopped, and killed, at each of its requests; and some of them in any order. */
import { randomInt } from "node:crypto";
import { expect, test } from "vitest";
import { type MemoryStore, memoryPlace } from "./memory-place.fake.ts";
import type { SweptPlace } from "./place.ts";
import { SWEPT_AFTER } from "./sweep.ts";

export type Role = (place: SweptPlace) => Promise<unknown>;

export interface Interleaving {
  /** What both find: old bytes that nothing names, and that the publisher is about to name. */
  readonly prepared: () => Promise<MemoryStore>;
  readonly publisher: Role;
  readonly sweeper: Role;
  /** Another file. Whoever comes next mends what the dead have left. */
  readonly nextPublisher: Role;
  /** All that is named is there: of the two, or of all three. */
  readonly checkWhole: (store: MemoryStore, how: { atLeast: number }) => Promise<void>;
  /** Paths of bytes that are named. */
  readonly named: (store: MemoryStore) => Promise<readonly string[]>;
  /** Paths of bytes, named or not. */
  readonly bytes: RegExp;
}

/** `stride`: how many requests further each pair is stopped; `rounds`: of four at once. */
export function testInterleaved(roles: Interleaving, { stride = 1, rounds = 500 } = {}): void {
  const { prepared, nextPublisher, sweeper, checkWhole, named, bytes } = roles;
  for (const [first, second] of [
    ["publisher", "sweeper"],
    ["sweeper", "publisher"],
  ] as const)
    test.each(["go on", "first dies", "second dies"])(
      `${first}, then ${second}: %s`,
      async (how) => {
        let pairs = 0;
        for (let [i, more] = [1, true]; more; i += stride)
          for (let [j, reached] = [1, true]; reached; j += stride) {
            const store = await prepared();
            const a = paused(store, roles[first], i);
            more = await a.reached();
            const b = paused(store, roles[second], j);
            reached = await b.reached();
            const ends = [
              how === "first dies" ? await a.kill() : await a.end(),
              how === "second dies" ? await b.kill() : await b.end(),
            ];
            for (const end of ends) expect(String(end)).toMatch(/^ended$|: killed$/);
            pairs++;
            if (how === "go on") await checkWhole(store, { atLeast: 2 });
            await sweeper(memoryPlace(store));
            await nextPublisher(memoryPlace(store));
            await checkWhole(store, { atLeast: 2 });
            for (let sweeps = 0; sweeps < 2; sweeps++) {
              store.now += 2 * SWEPT_AFTER;
              await sweeper(memoryPlace(store));
            }
            await checkWhole(store, { atLeast: 2 });
            expect([...store.files.keys()].filter((name) => bytes.test(name)).sort()).toEqual(
              [...(await named(store))].sort(),
            );
          }
        expect(pairs).toBeGreaterThan(100 / stride ** 2);
      },
      120_000,
    );

  test("two publishers and two sweepers in any order", async () => {
    for (let round = 0; round < rounds; round++) {
      const store = await prepared();
      const waiting: (() => void)[] = [];
      const gate = () => new Promise<void>((resolve) => void waiting.push(resolve));
      let running = 4;
      const all = [roles.publisher, roles.publisher, sweeper, sweeper].map((run) =>
        run(memoryPlace(store, gate)).finally(() => {
          running--;
        }),
      );
      while (running > 0) {
        await new Promise((resolve) => setImmediate(resolve));
        waiting.splice(randomInt(Math.max(1, waiting.length)), 1)[0]?.();
      }
      await Promise.all(all);
      await checkWhole(store, { atLeast: 2 });
    }
  }, 120_000);
}

/** Runs until it asks for its `at`-th request, and waits there. */
function paused(store: MemoryStore, run: Role, at: number) {
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
