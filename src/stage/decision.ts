/**
 * Why a stage ran or did not, written down when it is decided. `explain` reads these records and guesses nothing.
 * Kept for each project and stage: the last decision, and the last one that ran.
 */
import { canonicalJson, type Json } from "../base/json.ts";
import type { Store } from "../store/store.ts";
import type { KeyRecord } from "./key.ts";

export type Reason =
  | { readonly type: "first" }
  | { readonly type: "outputs-missing" }
  | {
      readonly type: "input";
      readonly name: string;
      readonly before?: string;
      readonly after?: string;
      readonly from?: string;
    }
  | { readonly type: "param"; readonly path: string; readonly before?: Json; readonly after?: Json }
  | { readonly type: "version"; readonly before: number; readonly after: number }
  | { readonly type: "outputs"; readonly before: readonly string[]; readonly after: readonly string[] };

export interface Decision extends KeyRecord {
  readonly stage: string;
  readonly outcome: "ran" | "cached";
  readonly reasons: readonly Reason[];
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly ms: number;
}

export interface DecisionRecord {
  readonly last: Decision;
  readonly lastRun?: Decision;
}

/** What differs between two keys of one stage. Nothing differs and it still has to run: its outputs are gone. */
export function reasonsFor(before: KeyRecord | undefined, after: KeyRecord): Reason[] {
  if (before === undefined) return [{ type: "first" }];
  const reasons: Reason[] = [];
  if (before.version !== after.version) reasons.push({ type: "version", before: before.version, after: after.version });
  for (const name of [...new Set([...Object.keys(before.inputs), ...Object.keys(after.inputs)])].sort()) {
    const [old, now] = [before.inputs[name], after.inputs[name]];
    if (old?.hash === now?.hash) continue;
    const from = now?.from ?? old?.from;
    reasons.push({
      type: "input",
      name,
      ...(old && { before: old.hash }),
      ...(now && { after: now.hash }),
      ...(from && { from }),
    });
  }
  diffParams({ before: before.params, after: after.params, path: "" }, reasons);
  const [outputs, now] = [before.outputs ?? after.outputs ?? [], after.outputs ?? []];
  if (outputs.join() !== now.join()) reasons.push({ type: "outputs", before: outputs, after: now });
  return reasons.length > 0 ? reasons : [{ type: "outputs-missing" }];
}

function diffParams(
  { before, after, path }: { before: Json | undefined; after: Json | undefined; path: string },
  into: Reason[],
): void {
  if (before !== undefined && after !== undefined && canonicalJson(before) === canonicalJson(after)) return;
  if (isRecord(before) && isRecord(after)) {
    for (const name of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort())
      diffParams({ before: before[name], after: after[name], path: path === "" ? name : `${path}.${name}` }, into);
  } else
    into.push({ type: "param", path, ...(before !== undefined && { before }), ...(after !== undefined && { after }) });
}

const isRecord = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** One line: "kernel changed, cmdline: "a" → "b"". */
export function reasonText(reasons: readonly Reason[]): string {
  const texts = reasons.map((reason) => {
    switch (reason.type) {
      case "first":
        return "first build";
      case "outputs-missing":
        return "its outputs are not in the store";
      case "version":
        return `stage version ${reason.before} → ${reason.after}`;
      case "outputs":
        return "it gives other outputs";
      case "input":
        return reason.before === undefined
          ? `${reason.name} added`
          : reason.after === undefined
            ? `${reason.name} removed`
            : `${reason.name} changed`;
      default:
        return `${reason.path} changed`;
    }
  });
  return texts.length <= 3 ? texts.join(", ") : `${texts.slice(0, 3).join(", ")} and ${texts.length - 3} more`;
}

export function loadDecisions(store: Store, project: string): Map<string, DecisionRecord> {
  const rows = store.db.all<{ stage: string; record: string }>(
    "SELECT stage, record FROM decisions WHERE project = ?",
    project,
  );
  return new Map(rows.map((row) => [row.stage, JSON.parse(row.record) as DecisionRecord]));
}

/** Adds decisions; one that repeats the last one word for word is not written again. */
export function saveDecisions(
  store: Store,
  project: string,
  { known, made }: { known: ReadonlyMap<string, DecisionRecord>; made: readonly Decision[] },
): void {
  const news = made.filter((decision) => {
    const last = known.get(decision.stage)?.last;
    return decision.outcome === "ran" || last === undefined || last.outcome !== "cached" || last.key !== decision.key;
  });
  if (news.length === 0) return;
  store.db.transaction(() => {
    for (const decision of news) {
      const lastRun = decision.outcome === "ran" ? decision : known.get(decision.stage)?.lastRun;
      const record: DecisionRecord = { last: decision, ...(lastRun && { lastRun }) };
      store.db.run(
        "INSERT OR REPLACE INTO decisions (project, stage, decided, record) VALUES (?, ?, ?, ?)",
        project,
        decision.stage,
        decision.at,
        JSON.stringify(record),
      );
    }
  });
}
