/**
 * What the store has already, from the sources on: every stage whose inputs are all there, and whose own result is. All are
 * claimed in one transaction, since a build with nothing to do spends its time here.
 */
import type { StageResult, Store } from "../store/store.ts";
import { stageInputs } from "./graph.ts";
import { type KeyRecord, stageKey } from "./key.ts";
import type { AnyStage, Outputs } from "./stage.ts";

export interface FoundResult {
  readonly stage: AnyStage;
  readonly record: KeyRecord;
  readonly result: StageResult;
}

/** `order`: inputs before users. Gives none when a collection took one of them away meanwhile: then each has to be asked for. */
export function foundResults(order: readonly AnyStage[], store: Store): FoundResult[] {
  const outputs = new Map<AnyStage, Outputs>();
  const found: FoundResult[] = [];
  for (const stage of order) {
    if (!stageInputs(stage).every((input) => outputs.has(input))) continue;
    const record = stageKey(stage, (input, output) => outputs.get(input)![output]!);
    const result = store.lookup(record.key);
    if (result === undefined) continue;
    outputs.set(stage, result.outputs);
    found.push({ stage, record, result });
  }
  return found.length > 0 && store.claim(found.map(({ record }) => record.key)) ? found : [];
}
