/** `expect(value).toBe(…)`: a small set of matchers whose messages show both sides. */
import { inspect, isDeepStrictEqual } from "node:util";
import type { Screen } from "../vm/index.ts";
import { matchScreen, type ScreenMatchOptions } from "./screen-match.ts";

export interface Assertions<T> {
  readonly not: Assertions<T>;
  /** `Object.is`. */
  toBe(expected: T): void;
  /** Deep and strict. */
  toEqual(expected: unknown): void;
  /** A part of a text, or a member of a list. */
  toContain(part: unknown): void;
  /** A text matches a pattern, or holds a text. */
  toMatch(pattern: string | RegExp): void;
  toBeTruthy(): void;
  toBeFalsy(): void;
  toBeUndefined(): void;
  toBeGreaterThan(limit: number): void;
  toBeLessThan(limit: number): void;
}

export interface ScreenAssertions {
  /**
   * The screen, once it is still, equals the picture of that name beside the test file, pixel by pixel. A picture that is
   * not there is recorded, and the test fails: look at it, commit it, run again.
   */
  toMatch(picture: string, options?: ScreenMatchOptions): Promise<void>;
}

/** A test's own verdict, in contrast to a machine that failed. */
export class ExpectationError extends Error {
  override readonly name = "ExpectationError";
}

export function expect(screen: Screen): ScreenAssertions;
export function expect<T>(value: T): Assertions<T>;
export function expect(value: unknown): ScreenAssertions | Assertions<unknown> {
  if (isScreen(value))
    return {
      toMatch: async (picture: string, options: ScreenMatchOptions = {}) =>
        fail(await matchScreen(value, picture, options)),
    };
  return assertions(value, false);
}

function assertions(value: unknown, negated: boolean): Assertions<unknown> {
  const verdict = (holds: boolean, relation: string, expected?: { readonly value: unknown }) => {
    if (holds !== negated) return;
    const sides = [
      ...(expected === undefined ? [] : [`expected: ${show(expected.value)}`]),
      `received: ${show(value)}`,
    ];
    fail(`expected the value ${negated ? "not " : ""}${relation}\n  ${sides.join("\n  ")}`);
  };
  const ordered = (limit: number, holds: (received: number) => boolean, relation: string) => {
    // Neither is true of what is no number, and `not` must not turn that into a pass.
    if (typeof value !== "number") fail(`expected a number ${relation} ${limit}\n  received: ${show(value)}`);
    else verdict(holds(value), relation, { value: limit });
  };
  return {
    get not() {
      return assertions(value, !negated);
    },
    toBe: (expected) => verdict(Object.is(value, expected), "to be the same", { value: expected }),
    toEqual: (expected) => verdict(isDeepStrictEqual(value, expected), "to equal", { value: expected }),
    toContain: (part) => verdict(contains(value, part), "to contain", { value: part }),
    toMatch: (pattern) => {
      if (typeof value !== "string") fail(`expected a text to match ${show(pattern)}\n  received: ${show(value)}`);
      else verdict(matches(value, pattern), "to match", { value: pattern });
    },
    toBeTruthy: () => verdict(Boolean(value), "to be truthy"),
    toBeFalsy: () => verdict(!value, "to be falsy"),
    toBeUndefined: () => verdict(value === undefined, "to be undefined"),
    toBeGreaterThan: (limit) => ordered(limit, (received) => received > limit, "to be greater than"),
    toBeLessThan: (limit) => ordered(limit, (received) => received < limit, "to be less than"),
  };
}

function fail(message: string | undefined): void {
  if (message !== undefined) throw new ExpectationError(message);
}

function contains(value: unknown, part: unknown): boolean {
  if (typeof value === "string") return typeof part === "string" && value.includes(part);
  return Array.isArray(value) && value.some((member) => isDeepStrictEqual(member, part));
}

const matches = (value: string, pattern: string | RegExp): boolean =>
  typeof pattern === "string" ? value.includes(pattern) : value.search(pattern) !== -1;

/** Short enough for a message; multi-line texts (console output) as lines. */
function show(value: unknown): string {
  if (typeof value === "string" && value.includes("\n"))
    return `\n${value
      .split("\n")
      .slice(0, 40)
      .map((line) => `    | ${line.slice(0, 200)}`)
      .join("\n")}`;
  return inspect(value, { depth: 4, maxStringLength: 400, maxArrayLength: 20, breakLength: 100 });
}

const isScreen = (value: unknown): value is Screen =>
  typeof value === "object" &&
  value !== null &&
  "png" in value &&
  typeof value.png === "function" &&
  "still" in value &&
  typeof value.still === "function";
