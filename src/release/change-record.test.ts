import fs from "node:fs";
import { expect, test } from "vitest";
import type { Place } from "../base/place.ts";
import { changeRecord, type RecordTarget } from "./change-record.ts";
import { promote } from "./promotion.ts";
import { examineRecord, readRecord } from "./read-record.ts";
import { DIGEST, now, recordDirectory } from "./record.fake.ts";

const environments = { test: { approvals: 0 } };

const promoteTo = (target: RecordTarget, release: string) =>
  changeRecord(target, {
    decide: (state) => promote(state, { environments, environment: "test", release, who: "somebody" }),
    ...{ now, dryRun: false },
  });

/** So that two meet: nobody makes an entry before all have read. */
function meeting(count: number): (place: Place) => Place {
  let waiting = 0;
  let open = () => {};
  const all = new Promise<void>((resolve) => {
    open = resolve;
  });
  return (place) => ({
    ...place,
    async create(name, bytes) {
      if (++waiting === count) open();
      await all;
      return place.create(name, bytes);
    },
  });
}

test("of two who promote at once one is first, and the other's rules are asked again", async () => {
  const record = recordDirectory();
  await record.add({ action: "release", environment: "", release: "v0.1.0" });
  await record.add({ action: "release", environment: "", release: "v0.2.0" });
  const meet = meeting(2);
  const user = () => {
    const target = record.stranger();
    return { ...target, place: meet(target.place) };
  };
  const results = await Promise.allSettled([promoteTo(user(), "v0.1.0"), promoteTo(user(), "v0.2.0")]);
  const { state, chain } = await readRecord(record.stranger());
  expect(state.environments.get("test")?.at(-1)?.release).toBe("v0.2.0");
  const refused = results.filter((one) => one.status === "rejected");
  // The older release was first, and both are there; or it came second, and promotion goes forward only.
  expect(chain.entries.length + refused.length).toBe(4);
  for (const one of refused) expect(one.reason).toMatchObject({ code: "PROMOTION_REFUSED" });
  expect((await examineRecord(record.target, 0)).findings).toEqual([]);
});

test("eight who do the same at once write one entry", async () => {
  const record = recordDirectory();
  await record.add({ action: "release", environment: "" });
  const meet = meeting(8);
  const users = Array.from({ length: 8 }, () => record.stranger()).map((one) => ({ ...one, place: meet(one.place) }));
  const done = await Promise.all(users.map((user) => promoteTo(user, "v0.1.0")));
  expect(done.filter(({ entry }) => entry !== undefined)).toHaveLength(1);
  expect((await readRecord(record.stranger())).state.serial).toBe(2);
  expect(fs.readFileSync(record.file("record/current"), "utf8")).toBe("2\n");
  expect(JSON.parse(fs.readFileSync(record.file("environments.json"), "utf8"))).toMatchObject({
    serial: 2,
    environments: { test: { release: "v0.1.0", digest: DIGEST } },
  });
});

test("killed before any of its writes, the next command finds the record whole and finishes", async () => {
  for (let killedAt = 0; ; killedAt++) {
    const record = recordDirectory();
    await record.add({ action: "release", environment: "" });
    const { place } = record.target;
    let writes = 0;
    const dying: Place = { ...place, create: dieAt(place.create), replace: dieAt(place.replace) };
    function dieAt<A extends unknown[], R>(write: (...args: A) => Promise<R>) {
      return async (...args: A): Promise<R> => {
        if (writes++ === killedAt) throw new Error("killed");
        return write(...args);
      };
    }
    const died = await promoteTo({ ...record.target, place: dying }, "v0.1.0").then(
      () => false,
      () => true,
    );
    expect((await examineRecord(record.stranger(), 0)).findings).toEqual([]);
    await promoteTo(record.target, "v0.1.0");
    expect((await readRecord(record.stranger())).state.serial).toBe(2);
    expect(fs.readFileSync(record.file("record/current"), "utf8")).toBe("2\n");
    if (!died) {
      expect(killedAt).toBe(3); // The entry, and two views.
      break;
    }
  }
});

test("a dry run writes nothing", async () => {
  const record = recordDirectory();
  await record.add({ action: "release", environment: "" });
  const before = fs.readdirSync(record.dir, { recursive: true }).sort();
  const { would, entry } = await changeRecord(record.target, {
    decide: (state) => promote(state, { environments, environment: "test", release: "v0.1.0", who: "x" }),
    ...{ now, dryRun: true },
  });
  expect([would?.action, entry]).toEqual(["promote", undefined]);
  expect(fs.readdirSync(record.dir, { recursive: true }).sort()).toEqual(before);
});
