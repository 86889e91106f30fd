import { expect, it } from "vitest";
import { listing, tempDir, tempStore } from "../../test/support/temp-store.ts";
import { silent } from "../base/events.ts";
import { Store } from "../store/store.ts";
import { forecastStages } from "./forecast.ts";
import { runStages } from "./scheduler.ts";
import { blobOf } from "./stage.ts";
import { textStage } from "./stages.fake.ts";

const signal = new AbortController().signal;

/** a → b → c. */
function chain(change: { a?: string; c?: string } = {}) {
  const a = textStage("a", { text: change.a ?? "a" });
  const b = textStage("b", { text: "b", parts: [blobOf(a, "file")] });
  return textStage("c", { text: change.c ?? "c", parts: [blobOf(b, "file")] });
}

async function built(dir: string): Promise<void> {
  const store = new Store(dir);
  await runStages([chain()], { store, emit: silent, signal, project: "p" });
  store.close();
}

function forecast(dir: string, target = chain()) {
  const store = new Store(dir, { readonly: true });
  try {
    return forecastStages([target], { store, project: "p" });
  } finally {
    store.close();
  }
}

it("says what runs first, and what waits to be known", () => {
  expect(forecast(tempDir())).toEqual([
    { name: "a", kind: "fake-text", needs: [], state: "runs", key: expect.any(String), reason: "first build" },
    { name: "b", kind: "fake-text", needs: ["a"], state: "unknown", reason: "waits for a" },
    { name: "c", kind: "fake-text", needs: ["b"], state: "unknown", reason: "waits for b" },
  ]);
});

it("after a build everything is cached, with sizes and times", async () => {
  const dir = tempDir();
  await built(dir);
  expect(forecast(dir).map(({ state, bytes, lastMs }) => [state, bytes, typeof lastMs])).toEqual([
    ["cached", 1, "number"],
    ["cached", 2, "number"],
    ["cached", 3, "number"],
  ]);
});

it("is what the run then does", async () => {
  const dir = tempDir();
  await built(dir);
  const target = chain({ c: "other" });
  const foretold = forecast(dir, target);
  expect(foretold.map(({ state, reason }) => [state, reason])).toEqual([
    ["cached", ""],
    ["cached", ""],
    ["runs", "text changed"],
  ]);
  const { stages } = await runStages([target], { store: tempStore(dir), emit: silent, signal, project: "p" });
  expect(stages.map(({ stage, key, outcome }) => [stage, key, outcome === "ran" ? "runs" : outcome])).toEqual(
    foretold.map(({ name, key, state }) => [name, key, state]),
  );
});

it("writes nothing: not in a store that is there, not in one that is not", async () => {
  const empty = tempDir();
  forecast(empty);
  expect(listing(empty)).toEqual([]);
  forecast(`${empty}/nowhere`);
  expect(listing(empty)).toEqual([]);
  const dir = tempDir();
  await built(dir);
  const before = listing(dir);
  expect(before.length).toBeGreaterThan(3);
  forecast(dir, chain({ a: "other" }));
  expect(listing(dir)).toEqual(before);
});

it("takes a pinned stage's outputs as known before it runs", () => {
  const fetch = { ...textStage("fetch"), pinned: { file: { kind: "blob" as const, hash: "a".repeat(64), size: 1 } } };
  const user = textStage("user", { parts: [blobOf(fetch, "file")] });
  expect(forecast(tempDir(), user).map(({ name, state }) => [name, state])).toEqual([
    ["fetch", "runs"],
    ["user", "runs"],
  ]);
});
