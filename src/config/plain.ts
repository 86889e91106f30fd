/**
 * A config is data. Whatever a module exports or YAML means is copied into plain objects, lists, texts, numbers and
 * booleans here, so that later parts meet no getter, no cycle, no class, and no text that grows without bound.
 */
import type { ConfigIssue } from "./issue.ts";
import type { ConfigObject, ConfigPath } from "./path.ts";

const MAX_DEPTH = 32;
const MAX_VALUES = 250_000;

export interface PlainResult {
  readonly value: unknown;
  readonly issues: readonly ConfigIssue[];
}

/** Null stays: profiles use it to remove. Undefined members vanish, as in JSON. */
export function plainData(input: unknown): PlainResult {
  const issues: ConfigIssue[] = [];
  let count = 0;

  const copy = (value: unknown, path: ConfigPath): unknown => {
    if (++count > MAX_VALUES) throw new TooLarge();
    if (value === null || typeof value === "string" || typeof value === "boolean") return value;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    if (typeof value === "object" && path.length > MAX_DEPTH) return refuse(path, "nested too deeply, or holds itself");
    if (Array.isArray(value)) return value.map((item, i) => copy(item, [...path, i]));
    if (typeof value === "object" && isPlain(value)) {
      const result: ConfigObject = {};
      for (const [key, member] of Object.entries(value)) {
        if (member === undefined) continue;
        if (key === "__proto__") refuse([...path, key], "this key is not allowed");
        else result[key] = copy(member, [...path, key]);
      }
      return result;
    }
    return refuse(path, `expected data, not ${describe(value)}`);
  };

  const refuse = (path: ConfigPath, message: string): undefined => {
    issues.push({ path, message, mark: "value" });
  };

  try {
    return { value: copy(input, []), issues };
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    const message = `the config holds more than ${MAX_VALUES} values`;
    return { value: {}, issues: [{ path: [], message, mark: "value" }] };
  }
}

class TooLarge extends Error {}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  // A module graph has its own Object when the config was loaded in another context: go by the name.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function describe(value: unknown): string {
  if (typeof value === "object" && value !== null) return `an object of class ${value.constructor?.name ?? "?"}`;
  return typeof value === "number" ? String(value) : `a ${typeof value}`;
}
