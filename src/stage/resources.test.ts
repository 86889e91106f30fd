import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Resources } from "./resources.ts";

const never = new AbortController().signal;
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("Resources", () => {
  it("never lets in more than there is, and lets all in at last", async () => {
    const weight = fc.record({ cpu: fc.nat(6), memory: fc.nat(120), network: fc.nat(3) });
    await fc.assert(
      fc.asyncProperty(fc.array(weight, { minLength: 1, maxLength: 20 }), async (weights) => {
        const capacity = { cpu: 4, memory: 100, network: 2 };
        const resources = new Resources(capacity);
        const used = { cpu: 0, memory: 0, network: 0 };
        const keys = ["cpu", "memory", "network"] as const;
        let done = 0;
        await Promise.all(
          weights.map(async (weight) => {
            const leave = await resources.acquire(weight, never);
            for (const key of keys) used[key] += Math.min(weight[key], capacity[key]);
            for (const key of keys) expect(used[key]).toBeLessThanOrEqual(capacity[key]);
            await turn();
            for (const key of keys) used[key] -= Math.min(weight[key], capacity[key]);
            done++;
            leave();
          }),
        );
        expect(done).toBe(weights.length);
      }),
      { numRuns: 50 },
    );
  });

  it("serves in the order of asking: a light one does not overtake a heavy one", async () => {
    const resources = new Resources({ cpu: 2, memory: 0, network: 0 });
    const order: string[] = [];
    const first = await resources.acquire({ cpu: 1 }, never);
    const heavy = resources.acquire({ cpu: 2 }, never).then((leave) => {
      order.push("heavy");
      leave();
    });
    const light = resources.acquire({ cpu: 1 }, never).then((leave) => {
      order.push("light");
      leave();
    });
    await turn();
    expect(order).toEqual([]);
    first();
    await Promise.all([heavy, light]);
    expect(order).toEqual(["heavy", "light"]);
  });

  it("takes one processor by default, and none when asked for none", async () => {
    const resources = new Resources({ cpu: 1, memory: 0, network: 1 });
    await resources.acquire({ cpu: 0, network: 1 }, never);
    const leave = await resources.acquire({}, never);
    let third = false;
    void resources.acquire({}, never).then(() => {
      third = true;
    });
    await turn();
    expect(third).toBe(false);
    leave();
    leave(); // Leaving twice gives nothing back twice.
    await turn();
    expect(third).toBe(true);
    let fourth = false;
    void resources.acquire({}, never).then(() => {
      fourth = true;
    });
    await turn();
    expect(fourth).toBe(false);
  });

  it("an abort while waiting rejects with the signal's reason and takes no place", async () => {
    const resources = new Resources({ cpu: 1, memory: 0, network: 0 });
    const leave = await resources.acquire({}, never);
    const stop = new AbortController();
    const waiting = resources.acquire({}, stop.signal);
    const next = resources.acquire({}, never);
    stop.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    leave();
    await expect(next).resolves.toBeTypeOf("function");
  });

  it("one that heads the queue and gives up lets those behind it in", async () => {
    const resources = new Resources({ cpu: 2, memory: 0, network: 0 });
    await resources.acquire({ cpu: 1 }, never);
    const stop = new AbortController();
    const heavy = resources.acquire({ cpu: 2 }, stop.signal);
    const light = resources.acquire({ cpu: 1 }, never);
    stop.abort(new Error("enough"));
    await expect(heavy).rejects.toThrow("enough");
    await expect(Promise.race([light, turn().then(() => "still waits")])).resolves.toBeTypeOf("function");
  });

  it("an aborted signal gets nothing", async () => {
    const resources = new Resources({ cpu: 1, memory: 0, network: 0 });
    await resources.acquire({}, never);
    const waiting = resources.acquire({}, AbortSignal.abort(new Error("already")));
    await expect(Promise.race([waiting, turn().then(() => "still waits")])).rejects.toThrow("already");
  });
});
