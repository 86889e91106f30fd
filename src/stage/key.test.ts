import { expect, it } from "vitest";
import { digestOf } from "../base/digest.ts";
import type { Json } from "../base/json.ts";
import { blobArtifact, treeArtifact } from "../store/artifact.ts";
import { stageKey } from "./key.ts";
import { type AnyStage, blobOf, type Inputs } from "./stage.ts";
import { textStage } from "./stages.fake.ts";

const one = blobArtifact(digestOf("one"));
const two = blobArtifact(digestOf("two"));

const stage = (change: Partial<AnyStage> = {}): AnyStage => ({
  name: "example",
  kind: "example",
  version: 1,
  inputs: { file: one },
  params: { a: 1 },
  outputs: ["out"],
  run: async () => ({}),
  ...change,
});
const noStages = () => {
  throw new Error("nothing to resolve");
};
const keyOf = (change: Partial<AnyStage> = {}): string => stageKey(stage(change), noStages).key;

it.each<[what: string, change: Partial<AnyStage>]>([
  ["parameters", { params: { a: 2 } }],
  ["an input's digest", { inputs: { file: two } }],
  ["an input's name", { inputs: { other: one } }],
  ["whether an input is a file or a tree", { inputs: { file: treeArtifact(one) } }],
  ["a list's order", { inputs: { file: one, list: [two, one] } }],
  ["version", { version: 2 }],
  ["kind", { kind: "other" }],
  ["outputs", { outputs: ["out", "log"] }],
  ["command", { command: { arguments: ["cc", "-O2"] } }],
])("%s changes the key", (_, change) => {
  expect(keyOf(change)).not.toBe(keyOf());
});

it("every change gives a key of its own", () => {
  const lists: Inputs[] = [
    { file: one, list: [one, two] },
    { file: one, list: [two, one] },
    { file: one, list: [two] },
  ];
  expect(new Set(lists.map((inputs) => keyOf({ inputs }))).size).toBe(lists.length);
});

it.each<[what: string, change: Partial<AnyStage>]>([
  ["the name", { name: "renamed" }],
  ["an input that is undefined", { inputs: { file: one, absent: undefined } }],
  ["a parameter that is undefined", { params: { a: 1, b: undefined } as unknown as Json }],
  ["the weight", { weight: { cpu: 4 } }],
  ["a pin", { pinned: { out: two } }],
])("%s does not", (_, change) => {
  expect(keyOf(change)).toBe(keyOf());
});

it("the order of parameters does not", () => {
  expect(keyOf({ params: { a: 1, b: 2 } })).toBe(keyOf({ params: { b: 2, a: 1 } }));
});

it("a command's arguments and environment are told with its parameters, so that a change can be explained", () => {
  const { params } = stageKey(
    stage({ params: {}, command: { arguments: ["xz", "-6"], environment: { A: "1" } } }),
    noStages,
  );
  expect(params).toEqual({ command: { arguments: ["xz", "-6"], environment: { A: "1" } } });
});

it("an input that another stage makes counts by its digest, and its maker is noted", () => {
  const maker = textStage("maker");
  const inputs = { file: blobOf(maker, "file") };
  const record = stageKey(stage({ inputs }), () => one);
  expect(record.key).toBe(keyOf());
  expect(record.inputs).toEqual({ file: { kind: "blob", hash: one.hash, from: "maker" } });
});

it("stays what it is from release to release", () => {
  expect(keyOf()).toBe("36d67f5f54914104919bcf3a987fa108cfd6fdfd11c9d8b5994a76b3c4f13f37");
});
