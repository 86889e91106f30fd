/**
 * Runs the stages that targets need: as soon as a stage's inputs are there its key is known, and either the store has
 * the result or the stage runs. The first failure stops the rest; finished results stay.
 */
import fs from "node:fs";
import os from "node:os";
import { systemClock } from "../base/clock.ts";
import { messageOf } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { ensureDir, removeTree } from "../base/fs.ts";
import { unoptimized } from "../base/optimization.ts";
import type { Artifact } from "../store/artifact.ts";
import { BlobMissing } from "../store/blobs.ts";
import { reach } from "../store/collect.ts";
import type { StageResult, Store } from "../store/store.ts";
import {
  type Decision,
  type DecisionRecord,
  loadDecisions,
  reasonsFor,
  reasonText,
  saveDecisions,
} from "./decision.ts";
import { foundResults } from "./found.ts";
import { orderStages, resolveInputs, stageInputs } from "./graph.ts";
import { type KeyRecord, stageKey } from "./key.ts";
import { Resources } from "./resources.ts";
import type { AnyStage, Outputs, StageContext } from "./stage.ts";
import { awaitTurn, type Turn } from "./turn.ts";

export interface RunStagesOptions {
  readonly store: Store;
  readonly emit: Emit;
  readonly signal: AbortSignal;
  /** Identifies the project for decisions: its config's path. */
  readonly project: string;
  /** Processors to use; default all. */
  readonly jobs?: number;
}

export interface StageReport {
  readonly stage: string;
  readonly key: string;
  readonly outcome: "ran" | "cached";
  readonly outputs: Outputs;
  readonly ms: number;
}

export interface RunReport {
  readonly stages: readonly StageReport[];
  readonly ran: number;
  readonly cached: number;
  /** Milliseconds. */
  readonly ms: number;
  output(stage: AnyStage, output: string): Artifact;
}

export async function runStages(targets: readonly AnyStage[], options: RunStagesOptions): Promise<RunReport> {
  const order = orderStages(targets);
  for (let attempt = 0; ; attempt++) {
    try {
      return await runOnce(order, options);
    } catch (error) {
      // A stage found a hole in what an earlier result promised: forget those results, so that they are made again.
      if (!(error instanceof BlobMissing) || attempt === 3 || !forgetResultsWith(error.hash, order, options))
        throw error;
      options.emit({ type: "warning", text: `${error.message}; making it again` });
    }
  }
}

async function runOnce(order: readonly AnyStage[], options: RunStagesOptions): Promise<RunReport> {
  const { store, emit } = options;
  const began = systemClock.elapsed();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const resources = new Resources({
    cpu: options.jobs ?? os.availableParallelism(),
    network: 6,
    memory: Math.floor(os.totalmem() / 2 ** 20),
  });
  const known = loadDecisions(store, options.project);
  const decisions: Decision[] = [];
  const reports = new Map<AnyStage, StageReport>();
  const running = new Map<AnyStage, Promise<void>>();
  const output = (stage: AnyStage, name: string): Artifact => {
    const artifact = reports.get(stage)?.outputs[name];
    if (artifact === undefined) throw new Error(`${stage.name} gave no output ${name}`);
    return artifact;
  };

  const decision = (stage: AnyStage, record: KeyRecord): DecideOptions => ({
    ...{ record, known: known.get(stage.name), resources, signal, output, decisions, options },
  });
  const evaluate = async (stage: AnyStage): Promise<void> => {
    const inputs = stageInputs(stage);
    await Promise.all(inputs.map((input) => running.get(input)));
    signal.throwIfAborted();
    reports.set(stage, await decide(stage, decision(stage, stageKey(stage, output))));
  };

  emit({ type: "build.start", stages: order.length, names: order.map((stage) => stage.name) });
  for (const { stage, record, result } of unoptimized(() => foundResults(order, store))) {
    emitCached(stage, { result, emit });
    reports.set(stage, settle(stage, { ...decision(stage, record), outcome: "cached", result }));
  }
  for (const stage of order) {
    if (reports.has(stage)) continue;
    const done = evaluate(stage);
    done.catch((error) => stop.abort(error));
    running.set(stage, done);
  }
  const results = await Promise.allSettled(running.values());
  const failed = results.find((result) => result.status === "rejected");
  try {
    saveDecisions(store, options.project, { known, made: decisions });
  } catch (error) {
    // On a full disk both fail; what the stage said is the better reason.
    if (failed === undefined && !options.signal.aborted) throw error;
  }
  if (options.signal.aborted) throw options.signal.reason;
  if (failed !== undefined) throw stop.signal.reason ?? failed.reason;
  const stages = order.map((stage) => reports.get(stage)!);
  const ran = stages.filter((report) => report.outcome === "ran").length;
  const ms = systemClock.elapsed() - began;
  emit({ type: "build.done", ran, cached: stages.length - ran, ms });
  return { stages, ran, cached: stages.length - ran, ms, output };
}

interface DecideOptions {
  readonly record: KeyRecord;
  readonly known: DecisionRecord | undefined;
  readonly resources: Resources;
  readonly signal: AbortSignal;
  readonly output: (stage: AnyStage, name: string) => Artifact;
  readonly decisions: Decision[];
  readonly options: RunStagesOptions;
}

async function decide(stage: AnyStage, decision: DecideOptions): Promise<StageReport> {
  const { record, known, options } = decision;
  const { store, emit } = options;
  const cached = (): StageResult | undefined => {
    const result = store.lookup(record.key) ?? pinnedResult(stage, { key: record.key, store });
    if (result === undefined || !store.claim([record.key])) return undefined;
    emitCached(stage, { result, emit });
    return result;
  };
  let result = cached();
  if (result !== undefined) return settle(stage, { ...decision, outcome: "cached", result });

  // Another process may be making the same result: wait for it rather than do the work twice.
  const turn: Turn = await awaitTurn(store, record.key, decision.signal, (pid) =>
    emit({ type: "stage.waiting", stage: stage.name, on: [`another build (process ${pid})`] }),
  );
  try {
    result = cached();
    if (result !== undefined) return settle(stage, { ...decision, outcome: "cached", result });
    const leave = await decision.resources.acquire(stage.weight ?? {}, decision.signal);
    try {
      const before = (known?.lastRun ?? known?.last) as KeyRecord | undefined;
      result = await runStage(stage, { ...decision, reason: reasonText(reasonsFor(before, record)) });
      return settle(stage, { ...decision, outcome: "ran", result });
    } finally {
      leave();
    }
  } finally {
    turn.end();
  }
}

/** Writes the decision down. */
function settle(
  stage: AnyStage,
  {
    record,
    known,
    decisions,
    outcome,
    result: { outputs, ms },
  }: DecideOptions & { outcome: "ran" | "cached"; result: StageResult },
): StageReport {
  const reasons = outcome === "ran" ? reasonsFor((known?.lastRun ?? known?.last) as KeyRecord | undefined, record) : [];
  decisions.push({ ...record, stage: stage.name, outcome, reasons, at: systemClock.now(), ms });
  return { stage: stage.name, key: record.key, outcome, outputs, ms };
}

function emitCached(stage: AnyStage, { result: { key, outputs }, emit }: { result: StageResult; emit: Emit }): void {
  const [bytes, digest] = [bytesOf(outputs), mainDigest(stage, outputs)];
  emit({ type: "stage.cached", stage: stage.name, key, bytes, digest });
}

/** A pinned stage whose bytes came here by another way (another project, another pin of the same file) has its result. */
function pinnedResult(stage: AnyStage, { key, store }: { key: string; store: Store }): StageResult | undefined {
  if (stage.pinned === undefined || !Object.values(stage.pinned).every((artifact) => store.has(artifact)))
    return undefined;
  const result = { key, stage: stage.name, outputs: stage.pinned, ms: 0 };
  store.record(result);
  return result;
}

async function runStage(
  stage: AnyStage,
  { record, output, signal, options, reason }: DecideOptions & { reason: string },
): Promise<StageResult> {
  const { store, emit } = options;
  const began = systemClock.elapsed();
  const scratches: string[] = [];
  emit({ type: "stage.start", stage: stage.name, key: record.key, reason });
  store.begin();
  const ctx: StageContext = {
    inputs: resolveInputs(stage, output) as StageContext["inputs"],
    store,
    signal,
    emit,
    progress: (done, { total, unit = "bytes", what } = {}) =>
      emit({
        type: "stage.progress",
        stage: stage.name,
        done,
        unit,
        ...(total !== undefined && { total }),
        ...(what !== undefined && { what }),
      }),
    scratch: () => {
      const dir = store.blobs.temporary();
      ensureDir(dir);
      scratches.push(dir);
      return dir;
    },
  };
  try {
    const outputs = await stage.run(ctx as StageContext<never>);
    signal.throwIfAborted();
    for (const name of stage.outputs)
      if (outputs[name] === undefined) throw new Error(`stage ${stage.name} did not return ${name}`);
    const result: StageResult = { key: record.key, stage: stage.name, outputs, ms: systemClock.elapsed() - began };
    store.record(result);
    emit({
      type: "stage.done",
      stage: stage.name,
      key: record.key,
      ms: result.ms,
      bytes: bytesOf(outputs),
      digest: mainDigest(stage, outputs),
    });
    return result;
  } catch (error) {
    if (!signal.aborted)
      emit({ type: "stage.failed", stage: stage.name, ms: systemClock.elapsed() - began, message: messageOf(error) });
    throw error;
  } finally {
    for (const dir of scratches) if (fs.existsSync(dir)) removeTree(dir);
  }
}

function forgetResultsWith(hash: string, order: readonly AnyStage[], { store, project }: RunStagesOptions): boolean {
  const decided = loadDecisions(store, project);
  const keys = new Set(order.map((stage) => decided.get(stage.name)?.last.key));
  const guilty = store.db
    .all<{ key: string; outputs: string }>("SELECT key, outputs FROM results")
    .filter((row) => keys.has(row.key))
    .filter((row) => {
      const reached = new Set<string>();
      for (const artifact of Object.values(JSON.parse(row.outputs) as Outputs)) reach(store, artifact, reached);
      return reached.has(hash);
    });
  store.forget(guilty.map((row) => row.key));
  // A pinned tree would count as present while its own encoding is there.
  for (const row of guilty)
    for (const artifact of Object.values(JSON.parse(row.outputs) as Outputs))
      if (artifact.kind !== "blob") store.blobs.remove(artifact.hash);
  return guilty.length > 0;
}

const bytesOf = (outputs: Outputs): number =>
  Object.values(outputs).reduce((sum, one) => sum + (one.kind === "extents" ? one.length : one.size), 0);
const mainDigest = (stage: AnyStage, outputs: Outputs): string => outputs[stage.outputs[0] ?? ""]?.hash ?? "";
