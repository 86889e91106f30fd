/** A stretch of a config file's text, and how sure we are that it is the right one. */
import type { ErrorLocation } from "../base/errors.ts";
import type { ConfigIssue } from "./issue.ts";
import type { ConfigPath } from "./path.ts";

export interface Place {
  /** Offsets in UTF-16 code units. */
  readonly start: number;
  readonly end: number;
  /** How many parts of the path were found; fewer than asked means: the nearest thing that holds it. */
  readonly found: number;
  /** The walk ended at an expression that is not a literal. */
  readonly computed: boolean;
}

export interface PlaceQuery {
  readonly path: ConfigPath;
  /** The key's text rather than the value's. */
  readonly key: boolean;
}

export type Locator = (query: PlaceQuery) => Place;

export interface LocateInput {
  readonly file: string;
  readonly source: string;
  readonly locator: Locator;
}

/** Where an issue stands, for the error. `path` is the issue's path in the words of the file. */
export function locateIssue(issue: Pick<ConfigIssue, "mark">, path: ConfigPath, input: LocateInput): ErrorLocation {
  const asked = issue.mark === "parent" ? path.slice(0, -1) : path;
  const place = input.locator({ path: asked, key: issue.mark !== "value" });
  return {
    file: input.file,
    ...lineAndColumn(input.source, place.start),
    length: markLength(input.source, place),
    source: input.source,
    ...(place.computed ? { note: "computed value: this is the nearest place that is written out" } : {}),
  };
}

export function lineAndColumn(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length, column: offset - lineStart + 1 };
}

/** Marks end with their line: a frame shows one line. */
function markLength(source: string, { start, end }: Place): number {
  const newline = source.indexOf("\n", start);
  return Math.max(1, (newline === -1 ? end : Math.min(end, newline)) - start);
}
