/** The stages that some targets need, each once, inputs before users. */
import type { Artifact } from "../store/artifact.ts";
import { type AnyStage, type Input, isRef } from "./stage.ts";

/** Topological order; a name that two different stages carry is our own mistake, and so is a cycle. */
export function orderStages(targets: readonly AnyStage[]): AnyStage[] {
  const order: AnyStage[] = [];
  const names = new Map<string, AnyStage>();
  const state = new Map<AnyStage, "open" | "done">();
  const visit = (stage: AnyStage): void => {
    if (state.get(stage) === "done") return;
    if (state.get(stage) === "open") throw new Error(`stages form a cycle at ${stage.name}`);
    state.set(stage, "open");
    for (const input of stageInputs(stage)) visit(input);
    state.set(stage, "done");
    const same = names.get(stage.name);
    if (same !== undefined && same !== stage) throw new Error(`two stages are called ${stage.name}`);
    names.set(stage.name, stage);
    order.push(stage);
  };
  for (const target of targets) visit(target);
  return order;
}

/** The stages whose outputs this one takes, each once. */
export function stageInputs(stage: AnyStage): AnyStage[] {
  const found = new Set<AnyStage>();
  for (const input of flatInputs(stage)) if (isRef(input)) found.add(input.stage);
  return [...found];
}

export function flatInputs(stage: AnyStage): Input[] {
  return Object.values(stage.inputs).flatMap((value) =>
    value === undefined ? [] : Array.isArray(value) ? value : [value],
  ) as Input[];
}

/** Replaces each reference by the artifact that it stands for. */
export function resolveInputs(
  stage: AnyStage,
  resolve: (stage: AnyStage, output: string) => Artifact,
): Record<string, unknown> {
  const one = (input: Input): Artifact => (isRef(input) ? resolve(input.stage, input.output) : input);
  return Object.fromEntries(
    Object.entries(stage.inputs).map(([name, value]) => [
      name,
      value === undefined ? undefined : Array.isArray(value) ? value.map(one) : one(value as Input),
    ]),
  );
}
