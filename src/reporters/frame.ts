/** The lines around a place in a file, with the place marked. */
import { type ErrorLocation, printable } from "../base/errors.ts";
import { paint, type Screen } from "./screen.ts";

const BEFORE = 2;
const AFTER = 1;
const MAX_LINE = 200;

/** Empty when the text or the line is not known. */
export function codeFrame(screen: Pick<Screen, "colors">, location: ErrorLocation, note?: string): readonly string[] {
  const { line, source } = location;
  if (source === undefined || line === undefined) return [];
  const lines = source.split(/\r?\n/);
  const first = Math.max(1, line - BEFORE);
  const last = Math.min(lines.length, line + AFTER);
  const width = String(last).length;
  const result: string[] = [];
  for (let number = first; number <= last; number++) {
    const text = printable(lines[number - 1] ?? "")
      .replaceAll("\t", " ")
      .slice(0, MAX_LINE);
    const gutter = `${String(number).padStart(width)} │ `;
    if (number !== line) result.push(`   ${paint(screen, "dim", gutter)}${text}`.trimEnd());
    else {
      result.push(`${paint(screen, "red", " > ")}${paint(screen, "dim", gutter)}${text}`);
      result.push(
        `   ${" ".repeat(width)} ${paint(screen, "dim", "│")} ${marker(screen, location, text.length, note)}`,
      );
    }
  }
  return result;
}

function marker(screen: Pick<Screen, "colors">, location: ErrorLocation, lineLength: number, note?: string): string {
  const column = Math.min(location.column ?? 1, lineLength + 1);
  const length = Math.max(1, Math.min(location.length ?? 1, lineLength - column + 1));
  return " ".repeat(column - 1) + paint(screen, "red", "^".repeat(length)) + (note ? ` ${note}` : "");
}
