/** zod's findings in our words: one message each, with the key or value that was probably meant. */
import type { z } from "zod";
import { didYouMean } from "../base/suggest.ts";
import type { ConfigIssue } from "./issue.ts";
import { SINGULARS } from "./normalize.ts";
import { type ConfigPath, formatPath, isObject, valueAt } from "./path.ts";
import { keysAt, leadingKeysAt } from "./shape.ts";

type ZodIssue = z.core.$ZodIssue;

export function issuesFromZod(schema: z.ZodType, found: readonly ZodIssue[], root: unknown): readonly ConfigIssue[] {
  return found.flatMap((issue) => translate(issue, { schema, root, base: [] }));
}

interface Context {
  readonly schema: z.ZodType;
  readonly root: unknown;
  readonly base: ConfigPath;
}

function translate(issue: ZodIssue, context: Context): readonly ConfigIssue[] {
  const path = [...context.base, ...issue.path.filter((part) => typeof part !== "symbol")];
  const value = valueAt(context.root, path);
  const one = (message: string, mark: ConfigIssue["mark"] = "value"): readonly ConfigIssue[] => [
    { path, message, mark },
  ];
  switch (issue.code) {
    case "unrecognized_keys":
      return unknownKeys(issue.keys, path, context);
    case "invalid_union":
      if ("options" in issue && Array.isArray(issue.options)) return discriminator(issue.options, path, value);
      return closestVariant(issue.errors, path, context);
    case "invalid_type":
      if (value === undefined)
        return [{ path, message: `missing: expected ${typeName(issue.expected)}`, mark: "parent" }];
      return one(
        issue.message.startsWith("Invalid")
          ? `expected ${typeName(issue.expected)}, found ${kindOf(value)}`
          : issue.message,
      );
    case "invalid_value":
      if (value === undefined) return [{ path, message: `missing: expected ${oneOf(issue.values)}`, mark: "parent" }];
      return one(`expected ${oneOf(issue.values)}${suggestion(value, issue.values)}`);
    case "invalid_key":
      return [{ path, message: issue.issues[0]?.message ?? "this name is not allowed", mark: "key" }];
    case "too_small":
      return one(
        issue.origin === "array"
          ? "expected at least one entry"
          : issue.origin === "string"
            ? "expected some text"
            : `expected at least ${issue.minimum}`,
      );
    case "too_big":
      return one(`expected at most ${issue.maximum}`);
    default:
      return one(issue.message);
  }
}

function unknownKeys(keys: readonly string[], path: ConfigPath, { schema, root }: Context): readonly ConfigIssue[] {
  const known = [...keysAt(schema, path, root)];
  const singulars = Object.entries(SINGULARS).flatMap(([one, many]) => (known.includes(many) ? [one] : []));
  const allowed = [...known, ...(path.length === 0 ? singulars : [])];
  const written = valueAt(root, path);
  const free = allowed.filter((key) => !isObject(written) || !(key in written));
  return keys.map((key) => ({
    path: [...path, key],
    message: `unknown key${didYouMean(key, free) || `; allowed here: ${allowed.join(", ")}`}`,
    mark: "key",
  }));
}

function discriminator(options: readonly unknown[], path: ConfigPath, value: unknown): readonly ConfigIssue[] {
  if (value === undefined) return [{ path, message: `missing: expected ${oneOf(options)}`, mark: "parent" }];
  return [{ path, message: `expected ${oneOf(options)}${suggestion(value, options)}`, mark: "value" }];
}

/** Of the forms that a value may have, the one that it is nearest to: what is wrong with that one is what helps. */
function closestVariant(
  errors: readonly (readonly ZodIssue[])[],
  path: ConfigPath,
  context: Context,
): readonly ConfigIssue[] {
  const value = valueAt(context.root, path);
  const possible = errors.filter(
    (issues) => !issues.some((issue) => issue.path.length === 0 && issue.code === "invalid_type"),
  );
  if (possible.length === 0) {
    const expected = new Set(
      errors.flat().map((issue) => (issue.code === "invalid_type" ? typeName(issue.expected) : "")),
    );
    expected.delete("");
    return [{ path, message: `expected ${[...expected].join(" or ")}, found ${kindOf(value)}`, mark: "value" }];
  }
  const values = possible.flatMap((issues) =>
    issues.flatMap((issue) => (issue.code === "invalid_value" && issue.path.length === 0 ? issue.values : [])),
  );
  const others = possible.flatMap((issues) =>
    issues.filter((issue) => issue.path.length === 0 && issue.code !== "invalid_value"),
  );
  if (typeof value === "string" && values.length > 0) {
    const wanted = [oneOf(values), ...others.map((issue) => issue.message.replace(/^expected /, ""))].join(", or ");
    return [{ path, message: `expected ${wanted}${suggestion(value, values)}`, mark: "value" }];
  }
  if (
    isObject(value) &&
    possible.length > 1 &&
    possible.every((issues) => unknownCount(issues) === Object.keys(value).length)
  ) {
    const keys = leadingKeysAt(context.schema, path, context.root);
    const hint =
      Object.keys(value)
        .map((key) => didYouMean(key, keys))
        .find((text) => text !== "") ?? "";
    return [{ path, message: `expected a map with one of the keys ${keys.join(", ")}${hint}`, mark: "value" }];
  }
  const [best = []] = [...possible].sort((a, b) => weight(a) - weight(b));
  return best.flatMap((issue) => translate(issue, { ...context, base: path }));
}

const unknownCount = (issues: readonly ZodIssue[]): number =>
  issues.reduce(
    (sum, issue) => sum + (issue.code === "unrecognized_keys" && issue.path.length === 0 ? issue.keys.length : 0),
    0,
  );

const weight = (issues: readonly ZodIssue[]): number => unknownCount(issues) * 10 + issues.length;

const oneOf = (values: readonly unknown[]): string =>
  (values.length > 1 ? "one of " : "") + values.map((value) => JSON.stringify(value)).join(", ");

const suggestion = (value: unknown, values: readonly unknown[]): string =>
  typeof value === "string"
    ? didYouMean(
        value,
        values.filter((option) => typeof option === "string"),
      )
    : "";

const NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a map",
  record: "a map",
};

const typeName = (expected: string): string => NAMES[expected] ?? expected;

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "nothing (null)";
  if (typeof value === "string")
    return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a map" : String(value);
}

/** `kernels.default.from: expected …` */
export const issueText = (issue: ConfigIssue, path: ConfigPath): string =>
  path.length === 0 ? issue.message : `${formatPath(path)}: ${issue.message}`;
