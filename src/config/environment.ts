/** `{env:NAME}` and `{env:NAME:-default}` in any text: the only way that the environment reaches a config. */
import type { ConfigIssue } from "./issue.ts";
import { type ConfigPath, isObject, pathKey } from "./path.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentUse {
  readonly names: readonly string[];
  /** The text as written, which is shown in the value's place: the value may be a secret. */
  readonly text: string;
}

export interface Expanded {
  readonly value: unknown;
  readonly uses: ReadonlyMap<string, EnvironmentUse>;
  /** Variables that gave a value. It may be a secret. */
  readonly given: ReadonlySet<string>;
  /** Variables in whose place the config's own default stands. */
  readonly unset: ReadonlySet<string>;
  readonly issues: readonly ConfigIssue[];
}

const REFERENCE = /\{env:([A-Za-z_][A-Za-z0-9_]*)(?::-([^{}]*))?\}/g;

export function expandEnvironment(input: unknown, env: Environment): Expanded {
  const uses = new Map<string, EnvironmentUse>();
  const given = new Set<string>();
  const unset = new Set<string>();
  const issues: ConfigIssue[] = [];

  const expand = (value: unknown, path: ConfigPath): unknown => {
    if (typeof value === "string") return value.includes("{env:") ? expandText(value, path) : value;
    if (Array.isArray(value)) return value.map((item, i) => expand(item, [...path, i]));
    if (isObject(value))
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expand(item, [...path, key])]));
    return value;
  };

  const expandText = (text: string, path: ConfigPath): string => {
    const names: string[] = [];
    const result = text.replace(REFERENCE, (_, name: string, fallback: string | undefined) => {
      names.push(name);
      const found = env[name];
      const value = fallback === undefined || isGiven(found) ? found : fallback;
      (fallback === undefined || isGiven(found) ? given : unset).add(name);
      if (value === undefined)
        issues.push({
          path,
          message: `the environment variable ${name} is not set`,
          mark: "value",
          missingEnvironment: true,
        });
      return value ?? "";
    });
    if (text.replace(REFERENCE, "").includes("{env:"))
      issues.push({
        path,
        message: "write environment references as {env:NAME} or {env:NAME:-default}",
        mark: "value",
      });
    uses.set(pathKey(path), { names, text });
    return result;
  };

  return { value: expand(input, []), uses, given, unset, issues };
}

/** As in a shell's `:-`, an empty variable counts as unset when there is a default. */
export const isGiven = (value: string | undefined): value is string => value !== undefined && value !== "";
