/** A stage with its inputs resolved → its key (the digest of a Remote Execution API action), and what the key is made of. */
import { digestOf } from "../base/digest.ts";
import { canonicalJson, type Json } from "../base/json.ts";
import type { Artifact } from "../store/artifact.ts";
import { encodeAction, type InputFile } from "./action.ts";
import { type AnyStage, isRef } from "./stage.ts";

/** What a key is made of, in words: kept with each decision, so that the next one can say what changed. */
export interface KeyRecord {
  readonly key: string;
  readonly kind: string;
  readonly version: number;
  readonly params: Json;
  /** Names; absent in records of before they were kept. */
  readonly outputs?: readonly string[];
  /** By the path in the input root. */
  readonly inputs: Readonly<Record<string, InputRecord>>;
}

export interface InputRecord {
  readonly kind: Artifact["kind"];
  readonly hash: string;
  /** The stage that made it. */
  readonly from?: string;
}

/** The operating system and processor that a command runs on; REAPI's platform lexicon names. */
const PLATFORM = { ISA: process.arch === "arm64" ? "arm-a64" : "x86-64", OSFamily: "linux" };

/** Of inputs that are an encoding: their contents travel as blobs of their own. */
const SUFFIX = { blob: "", tree: ".tree", extents: ".extents" } as const satisfies Record<Artifact["kind"], string>;

export function stageKey(stage: AnyStage, resolve: (stage: AnyStage, output: string) => Artifact): KeyRecord {
  const inputs: Record<string, InputRecord> = {};
  const files: InputFile[] = [];
  const add = (name: string, artifact: Artifact, from?: string) => {
    const path = `inputs/${name}${SUFFIX[artifact.kind]}`;
    inputs[name] = { kind: artifact.kind, hash: artifact.hash, ...(from === undefined ? {} : { from }) };
    files.push({ path, digest: { hash: artifact.hash, size: artifact.size } });
  };
  for (const [name, value] of Object.entries(stage.inputs)) {
    if (value === undefined) continue;
    const list = Array.isArray(value);
    for (const [i, input] of (list ? value : [value]).entries()) {
      const label = list ? `${name}/${String(i).padStart(4, "0")}` : name;
      if (isRef(input)) add(label, resolve(input.stage, input.output), input.stage.name);
      else add(label, input);
    }
  }
  files.push({ path: "params.json", digest: digestOf(canonicalJson(stage.params)) });
  // In-process stages behave the same on every processor; a command's platform is part of what it is.
  const command = stage.command ?? { arguments: ["bootwright-stage", stage.kind, String(stage.version)] };
  const action = encodeAction({
    command: { ...command, outputPaths: stage.outputs.map((name) => `outputs/${name}`) },
    inputs: files,
    platform: stage.command === undefined ? { OSFamily: "linux" } : PLATFORM,
  });
  const params = stage.command === undefined ? stage.params : describeCommand(stage.params, stage.command);
  return { key: action.digest.hash, kind: stage.kind, version: stage.version, params, outputs: stage.outputs, inputs };
}

/** A command's words are part of its key in their own message; here they stand with the parameters, so that a change of them can be said. */
const describeCommand = (params: Json, command: NonNullable<AnyStage["command"]>): Json => ({
  ...(params as Readonly<Record<string, Json>>),
  command: { arguments: command.arguments, environment: command.environment ?? {} },
});
