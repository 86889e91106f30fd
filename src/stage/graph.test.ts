import { expect, it } from "vitest";
import { orderStages, resolveInputs, stageInputs } from "./graph.ts";
import { type AnyStage, blobOf } from "./stage.ts";
import { type FakeStage, textStage } from "./stages.fake.ts";

const needs = (name: string, ...stages: FakeStage[]) =>
  textStage(name, { parts: stages.map((stage) => blobOf(stage, "file")) });
const names = (stages: readonly AnyStage[]) => stages.map((stage) => stage.name);

it("puts inputs before their users, each stage once", () => {
  const source = textStage("source");
  const [left, right] = [needs("left", source), needs("right", source)];
  const image = needs("image", left, right);
  expect(names(orderStages([image, left]))).toEqual(["source", "left", "right", "image"]);
});

it("names a stage's inputs once, however often they are taken", () => {
  const source = textStage("source");
  expect(names(stageInputs(needs("twice", source, source)))).toEqual(["source"]);
});

it("replaces references by artifacts, and leaves the rest as it is", () => {
  const source = textStage("source");
  const artifact = { kind: "blob" as const, hash: "a".repeat(64), size: 1 };
  const stage = { ...needs("user", source), inputs: { list: [blobOf(source, "file"), artifact], none: undefined } };
  const made = { ...artifact, size: 2 };
  expect(resolveInputs(stage as AnyStage, () => made)).toEqual({ list: [made, artifact], none: undefined });
});

it("refuses a cycle", () => {
  const list: ReturnType<typeof blobOf>[] = [];
  const first = { ...textStage("first"), inputs: { parts: list } };
  list.push(blobOf(needs("second", first as unknown as FakeStage), "file"));
  expect(() => orderStages([first as AnyStage])).toThrow("cycle at first");
});

it("refuses two stages of one name", () => {
  expect(() => orderStages([textStage("same"), textStage("same")])).toThrow("two stages are called same");
});
