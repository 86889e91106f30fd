/** `bootwright.yaml`: its data, and exactly where each key and value stands. */
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
} from "yaml";
import { BootwrightError, messageOf } from "../base/errors.ts";
import type { Locator, Place } from "./place.ts";

/** Aliases may repeat a part of the config, but not blow it up ("billion laughs"). */
const MAX_ALIASES = 100;

export interface ParsedYaml {
  readonly value: unknown;
  readonly locator: Locator;
}

/** Throws CONFIG_LOAD_FAILED with the place when the text is not YAML. */
export function parseYaml(source: string, file: string): ParsedYaml {
  const lines = new LineCounter();
  const document = attempt(
    () => parseDocument(source, { lineCounter: lines, prettyErrors: false, logLevel: "error" }),
    file,
  );
  if (document.errors.length > 0)
    throw new BootwrightError("CONFIG_LOAD_FAILED", `${file} is not valid YAML`, {
      issues: document.errors.map((error) => {
        const { line, col } = lines.linePos(error.pos[0]);
        const length = Math.max(1, error.pos[1] - error.pos[0]);
        return { message: error.message, location: { file, line, column: col, length, source } };
      }),
    });
  return {
    value: attempt(() => document.toJS({ maxAliasCount: MAX_ALIASES }), file),
    locator: (query) => locateInYaml(document, query),
  };
}

function attempt<T>(work: () => T, file: string): T {
  try {
    return work();
  } catch (error) {
    // Too many aliases, or nested beyond the stack.
    const reason = error instanceof RangeError ? "it is nested too deeply" : messageOf(error);
    throw new BootwrightError("CONFIG_LOAD_FAILED", `cannot load ${file}: ${reason}`, { cause: error });
  }
}

function locateInYaml(document: Document, { path, key }: Parameters<Locator>[0]): Place {
  let node: Node | null = document.contents as Node | null;
  let pair: Pair | undefined;
  let found = 0;
  for (const part of path) {
    const next = child(document, node, part);
    if (next === undefined) break;
    pair = next.pair ?? pair;
    node = next.node;
    found++;
  }
  const exact = found === path.length;
  const keyNode = pair !== undefined && isPair(pair) ? (pair.key as Node) : undefined;
  const useKey = keyNode !== undefined && (key || !exact || node === null);
  const range = (useKey ? keyNode.range : node?.range) ?? [0, 1];
  return { start: range[0], end: range[1], found, computed: false };
}

function child(
  document: Document,
  parent: Node | null,
  part: string | number,
): { node: Node | null; pair?: Pair } | undefined {
  const node = resolveAlias(document, parent);
  if (isMap(node)) {
    const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
    return pair === undefined ? undefined : { node: pair.value as Node | null, pair };
  }
  if (isSeq(node) && typeof part === "number" && part < node.items.length) return { node: node.items[part] as Node };
  return undefined;
}

const resolveAlias = (document: Document, node: Node | null): Node | null =>
  isAlias(node) ? (node.resolve(document) ?? null) : node;
