/**
 * The config is made of layers: the file, then each chosen profile, then flags. Maps merge key by key; a list is
 * replaced, unless the later layer writes `{append: […]}`; null removes. For each value the layer that wrote it is kept.
 */
import { type ConfigObject, type ConfigPath, isObject, pathKey } from "./path.ts";

export type Layer =
  | { readonly kind: "config" }
  | { readonly kind: "profile"; readonly name: string }
  | { readonly kind: "flag" };

export interface Written {
  readonly layer: Layer;
  /** Where the value stands in the file, in the words of the file. */
  readonly path: ConfigPath;
}

export interface LayerInput {
  readonly layer: Layer;
  readonly value: ConfigObject;
  /** From the normalized path to the one in the file. */
  readonly inFile: (path: ConfigPath) => ConfigPath;
}

export interface Layered {
  readonly value: ConfigObject;
  /** By `pathKey` of the normalized path. */
  readonly written: ReadonlyMap<string, Written>;
}

export function mergeLayers(inputs: readonly LayerInput[]): Layered {
  const written = new Map<string, Written>();
  let value: unknown = {};
  for (const input of inputs) value = merge(value, input.value, { ...input, written, at: [], from: [] });
  return { value: value as ConfigObject, written };
}

/** The layer entry of the value, else of the nearest value that holds it. */
export function writtenAt(written: ReadonlyMap<string, Written>, path: ConfigPath): Written & { exact: boolean } {
  for (let length = path.length; length >= 0; length--) {
    const found = written.get(pathKey(path.slice(0, length)));
    if (found !== undefined) return { ...found, exact: length === path.length };
  }
  return { layer: { kind: "config" }, path: [], exact: path.length === 0 };
}

interface MergeState extends LayerInput {
  readonly written: Map<string, Written>;
  /** In the merged value. */
  readonly at: ConfigPath;
  /** In this layer; differs from `at` below an appended list. */
  readonly from: ConfigPath;
}

function merge(base: unknown, over: unknown, state: MergeState): unknown {
  const added = appended(over);
  if (added !== undefined && (base === undefined || Array.isArray(base))) {
    const before = base ?? [];
    return before.concat(added.map((item, i) => record(item, below(state, before.length + i, "append", i))));
  }
  if (!isObject(over)) return record(over, state);
  remember(state);
  const result: ConfigObject = isObject(base) ? { ...base } : {};
  for (const [key, member] of Object.entries(over)) {
    if (member === null && state.layer.kind !== "config") delete result[key];
    else result[key] = merge(result[key], member, below(state, key, key));
  }
  return result;
}

function record(value: unknown, state: MergeState): unknown {
  remember(state);
  if (Array.isArray(value)) return value.map((item, i) => record(item, below(state, i, i)));
  if (isObject(value))
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, record(member, below(state, key, key))]),
    );
  return value;
}

const remember = (state: MergeState) =>
  state.written.set(pathKey(state.at), { layer: state.layer, path: state.inFile(state.from) });

const below = (state: MergeState, at: string | number, ...from: (string | number)[]): MergeState => ({
  ...state,
  at: [...state.at, at],
  from: [...state.from, ...from],
});

function appended(value: unknown): readonly unknown[] | undefined {
  if (!isObject(value) || !Array.isArray(value.append) || Object.keys(value).length !== 1) return undefined;
  return value.append;
}
