/** What a run would do, found without running: keys as far as inputs are known, and whether the store has their results. */
import type { Artifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { loadDecisions, reasonsFor, reasonText } from "./decision.ts";
import { orderStages, stageInputs } from "./graph.ts";
import { stageKey } from "./key.ts";
import type { AnyStage, Outputs } from "./stage.ts";

export interface Forecast {
  readonly name: string;
  readonly kind: string;
  /** "unknown": an input has to be made first; when it comes out the same, this stage need not run. */
  readonly state: "cached" | "runs" | "unknown";
  /** Absent while unknown. */
  readonly key?: string;
  /** Why it runs, or what it waits for. */
  readonly reason: string;
  /** Names of the stages that it takes inputs from. */
  readonly needs: readonly string[];
  /** Milliseconds that it took the last time. */
  readonly lastMs?: number;
  /** Bytes of its outputs, when they are there. */
  readonly bytes?: number;
}

export function forecastStages(
  targets: readonly AnyStage[],
  { store, project }: { store: Store; project: string },
): Forecast[] {
  const decisions = loadDecisions(store, project);
  const known = new Map<AnyStage, Outputs>();
  return orderStages(targets).map((stage) => {
    const inputs = stageInputs(stage);
    const common = { name: stage.name, kind: stage.kind, needs: inputs.map((input) => input.name) };
    const open = inputs.filter((input) => !known.has(input));
    if (stage.pinned !== undefined) known.set(stage, stage.pinned);
    const previous = decisions.get(stage.name);
    const lastMs = previous?.lastRun?.ms;
    const took = lastMs === undefined ? {} : { lastMs };
    if (open.length > 0)
      return {
        ...common,
        ...took,
        state: "unknown",
        reason: `waits for ${open.map((input) => input.name).join(", ")}`,
      };
    const record = stageKey(stage, (input, output): Artifact => known.get(input)![output]!);
    const outputs =
      store.lookup(record.key)?.outputs ??
      (stage.pinned !== undefined && Object.values(stage.pinned).every((artifact) => store.blobs.has(artifact))
        ? stage.pinned
        : undefined);
    if (outputs === undefined)
      return {
        ...common,
        ...took,
        state: "runs",
        key: record.key,
        reason: reasonText(reasonsFor(previous?.lastRun ?? previous?.last, record)),
      };
    known.set(stage, outputs);
    return {
      ...common,
      ...took,
      state: "cached",
      key: record.key,
      reason: "",
      bytes: Object.values(outputs).reduce((sum, artifact) => sum + artifact.size, 0),
    };
  });
}
