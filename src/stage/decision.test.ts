import { describe, expect, it } from "vitest";
import { tempStore } from "../../test/support/temp-store.ts";
import { type Decision, loadDecisions, reasonsFor, reasonText, saveDecisions } from "./decision.ts";
import type { KeyRecord } from "./key.ts";

const record: KeyRecord = {
  key: "k1",
  kind: "tree",
  version: 1,
  params: { packages: ["a"], nested: { level: 3, gone: true } },
  inputs: { kernel: { kind: "blob", hash: "1111", from: "kernel:hello" }, old: { kind: "tree", hash: "2222" } },
};

describe("reasonsFor", () => {
  it("a stage never seen runs for the first time", () => {
    expect(reasonsFor(undefined, record)).toEqual([{ type: "first" }]);
  });

  it("the same key that runs again has lost its outputs", () => {
    expect(reasonsFor(record, record)).toEqual([{ type: "outputs-missing" }]);
  });

  it("names each change: version, inputs, parameters by path", () => {
    const after: KeyRecord = {
      ...record,
      version: 2,
      params: { packages: ["a", "b"], nested: { level: 4, added: "x" } },
      inputs: { kernel: { kind: "blob", hash: "3333", from: "kernel:hello" }, fresh: { kind: "blob", hash: "4444" } },
    };
    expect(reasonsFor(record, after)).toEqual([
      { type: "version", before: 1, after: 2 },
      { type: "input", name: "fresh", after: "4444" },
      { type: "input", name: "kernel", before: "1111", after: "3333", from: "kernel:hello" },
      { type: "input", name: "old", before: "2222" },
      { type: "param", path: "nested.added", after: "x" },
      { type: "param", path: "nested.gone", before: true },
      { type: "param", path: "nested.level", before: 3, after: 4 },
      { type: "param", path: "packages", before: ["a"], after: ["a", "b"] },
    ]);
  });

  it("parameters that are written in another order are the same", () => {
    const after = { ...record, params: { nested: { gone: true, level: 3 }, packages: ["a"] } };
    expect(reasonsFor(record, after)).toEqual([{ type: "outputs-missing" }]);
  });
});

it("reasonText is one line, however many reasons there are", () => {
  expect(reasonText([{ type: "first" }])).toBe("first build");
  expect(reasonText([{ type: "outputs-missing" }])).toBe("its outputs are not in the store");
  expect(
    reasonText([
      { type: "version", before: 1, after: 2 },
      { type: "input", name: "kernel", before: "a", after: "b" },
      { type: "input", name: "old", before: "a" },
      { type: "input", name: "fresh", after: "a" },
      { type: "param", path: "cmdline" },
    ]),
  ).toBe("stage version 1 → 2, kernel changed, old removed and 2 more");
});

describe("saveDecisions", () => {
  const decision = (more: Partial<Decision> = {}): Decision => ({
    ...record,
    stage: "tree:hello",
    outcome: "ran",
    reasons: [{ type: "first" }],
    at: 1,
    ms: 5,
    ...more,
  });
  const save = (store: ReturnType<typeof tempStore>, project: string, ...made: Decision[]) =>
    saveDecisions(store, project, { known: loadDecisions(store, project), made });

  it("keeps the last decision and the last that ran", () => {
    const store = tempStore();
    save(store, "p", decision());
    save(store, "p", decision({ outcome: "cached", reasons: [], at: 2 }));
    expect(loadDecisions(store, "p").get("tree:hello")).toMatchObject({
      last: { outcome: "cached", at: 2 },
      lastRun: { outcome: "ran", at: 1, reasons: [{ type: "first" }] },
    });
  });

  it("writes nothing for what is cached once more", () => {
    const store = tempStore();
    save(store, "p", decision({ outcome: "cached", at: 1 }));
    save(store, "p", decision({ outcome: "cached", at: 2 }));
    expect(loadDecisions(store, "p").get("tree:hello")?.last.at).toBe(1);
    save(store, "p", decision({ outcome: "cached", at: 3, key: "k2" }));
    expect(loadDecisions(store, "p").get("tree:hello")?.last.at).toBe(3);
  });

  it("keeps projects apart", () => {
    const store = tempStore();
    save(store, "p", decision());
    expect(loadDecisions(store, "q").size).toBe(0);
  });
});
