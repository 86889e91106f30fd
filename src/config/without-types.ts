/**
 * A TypeScript module without its types. Most configs have none, and are JavaScript as they stand: they are spared Node's
 * compiler, whose start takes a tenth of a second.
 */
import { stripTypeScriptTypes } from "node:module";
import { parse } from "acorn";

/** Every position stays what it was. Throws what Node throws for text that it cannot read. */
export const withoutTypes = (source: string): string => (isJavaScript(source) ? source : stripTypeScriptTypes(source));

/**
 * True when the text means the same as TypeScript and as JavaScript. What both can read does, but for one thing: `f<A>(b)` is a
 * call of `f` here, and two comparisons there.
 */
export function isJavaScript(source: string): boolean {
  if (source.includes("<")) return false;
  try {
    parse(source, { ecmaVersion: "latest", sourceType: "module" });
    return true;
  } catch {
    return false;
  }
}
