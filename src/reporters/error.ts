/** An error as a person reads it: title with code, place and frame, detail, hint, docs. At most three frames. */
import path from "node:path";
import {
  type BootwrightError,
  type ErrorIssue,
  type ErrorLocation,
  isBootwrightError,
  messageOf,
  printable,
} from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { codeFrame } from "./frame.ts";
import { paint, type Screen } from "./screen.ts";

const MAX_FRAMES = 3;

export interface ErrorView {
  /** Paths are shown relative to it. */
  readonly cwd: string;
  readonly debug: boolean;
}

export function renderError(screen: Pick<Screen, "colors">, error: unknown, view: ErrorView): string {
  const lines = isBootwrightError(error) ? userError(screen, error, view) : bug(screen, error);
  return `${lines.join("\n")}\n`;
}

/** The `error` member of a `--json` document. */
export function errorData(error: unknown, view: Pick<ErrorView, "cwd">): { readonly [key: string]: Json } {
  if (!isBootwrightError(error)) return { code: "BUG", message: printable(messageOf(error)) };
  return {
    code: error.code,
    message: error.message,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    ...(error.detail === undefined ? {} : { detail: error.detail }),
    ...(error.location === undefined ? {} : { location: placeData(error.location, view) }),
    ...(error.issues.length === 0 ? {} : { issues: error.issues.map((issue) => issueData(issue, view)) }),
    docs: `bootwright explain ${error.code}`,
  };
}

const issueData = (issue: ErrorIssue, view: Pick<ErrorView, "cwd">): Json => ({
  message: printable(issue.message),
  ...(issue.hint === undefined ? {} : { hint: issue.hint }),
  ...(issue.location === undefined ? {} : { location: placeData(issue.location, view) }),
});

const placeData = ({ file, line, column, note }: ErrorLocation, view: Pick<ErrorView, "cwd">): Json => ({
  file: shownPath(file, view),
  ...(line === undefined ? {} : { line }),
  ...(column === undefined ? {} : { column }),
  ...(note === undefined ? {} : { note }),
});

function userError(screen: Pick<Screen, "colors">, error: BootwrightError, view: ErrorView): readonly string[] {
  const lines = [
    `${paint(screen, "red", `✗ ${error.code}`)}  ${paint(screen, "bold", titleOf(error.message, error.location))}`,
  ];
  if (error.location !== undefined)
    lines.push(...place(screen, error.location, { view, frame: true, message: error.message }));
  error.issues.forEach((issue, i) => {
    const frame = i < MAX_FRAMES;
    lines.push(
      "",
      `${paint(screen, "red", "✗")} ${frame ? titleOf(printable(issue.message), issue.location) : printable(issue.message)}`,
    );
    if (issue.location !== undefined)
      lines.push(...place(screen, issue.location, { view, frame, message: printable(issue.message) }));
    if (issue.hint !== undefined) lines.push(`  ${paint(screen, "cyan", "hint")}  ${issue.hint}`);
  });
  const unframed = error.issues.length - MAX_FRAMES;
  if (unframed > 0) lines.splice(positionAfterFrames(lines, error.issues.length), 0, "", `  and ${unframed} more:`);
  if (error.detail) lines.push("", ...error.detail.split("\n").map((line) => `  ${paint(screen, "dim", "│")} ${line}`));
  if (error.hint !== undefined) lines.push(`  ${paint(screen, "cyan", "hint")}  ${error.hint}`);
  lines.push(`  ${paint(screen, "cyan", "docs")}  bootwright explain ${error.code}`);
  if (view.debug && error.cause !== undefined) lines.push("", `caused by ${stackOf(error.cause)}`);
  return lines;
}

/** Where the fourth issue begins: each issue starts after an empty line. */
function positionAfterFrames(lines: readonly string[], issues: number): number {
  let empty = 0;
  for (let i = 0; i < lines.length; i++) if (lines[i] === "" && ++empty === Math.min(issues, MAX_FRAMES) + 1) return i;
  return lines.length;
}

function place(
  screen: Pick<Screen, "colors">,
  location: ErrorLocation,
  { view, frame, message }: { view: ErrorView; frame: boolean; message: string },
): readonly string[] {
  const position =
    location.line === undefined ? "" : `:${location.line}${location.column === undefined ? "" : `:${location.column}`}`;
  const lines = [`  ${paint(screen, "cyan", shownPath(location.file, view) + position)}`];
  if (frame) lines.push(...codeFrame(screen, location, split(message).suggestion));
  if (frame && location.note !== undefined) lines.push(`  note  ${location.note}`);
  return lines;
}

const titleOf = (message: string, location: ErrorLocation | undefined): string =>
  location?.source === undefined || location.line === undefined ? message : split(message).title;

/** A suggestion stands at the marked text rather than in the title, where there is a frame. */
function split(message: string): { title: string; suggestion?: string } {
  const at = message.lastIndexOf("; did you mean ");
  return at === -1 ? { title: message } : { title: message.slice(0, at), suggestion: message.slice(at + 2) };
}

function bug(screen: Pick<Screen, "colors">, error: unknown): readonly string[] {
  return [
    `${paint(screen, "red", "✗ BUG")}  ${paint(screen, "bold", printable(messageOf(error)))}`,
    printable(stackOf(error)),
    "  This is a mistake in Bootwright, not in your project. Please report it with the lines above.",
  ];
}

const stackOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

function shownPath(file: string, { cwd }: Pick<ErrorView, "cwd">): string {
  const relative = path.relative(cwd, file);
  return relative === "" || relative.startsWith("../..") || path.isAbsolute(relative) ? file : relative;
}
