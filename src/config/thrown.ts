/** The place that a config module's own error names in its stack. */
import { fileURLToPath } from "node:url";
import type { ErrorLocation } from "../base/errors.ts";

/** Syntax errors start their stack with `path:line` and draw a caret; thrown ones name `file:///path:line:column`. */
export function placeOfThrown(error: unknown, file: string, source: string): ErrorLocation {
  const stack = error instanceof Error ? (error.stack ?? "") : "";
  for (const [, address = "", line, column] of stack.matchAll(
    /((?:file:\/\/)?\/[^\n()]+?):(\d+)(?::(\d+))?\)?(?=\n|$)/g,
  )) {
    if (pathOf(address) !== file) continue;
    const caret = column === undefined ? /^( *)\^+$/m.exec(stack)?.[1]?.length : undefined;
    const found = column === undefined ? (caret === undefined ? undefined : caret + 1) : Number(column);
    return { file, line: Number(line), ...(found === undefined ? {} : { column: found }), source };
  }
  return { file };
}

function pathOf(address: string): string {
  if (!address.startsWith("file:")) return address;
  try {
    return fileURLToPath(address.replace(/\?.*$/, ""));
  } catch {
    return address;
  }
}
