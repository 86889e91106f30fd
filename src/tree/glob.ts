/** Glob patterns over paths inside a tree: `*` within a name, `**` across names, `?`, `[a-z]`, `{a,b}`; a pattern without slash matches names anywhere. */
import { matchesGlob } from "node:path/posix";
import { baseName } from "../formats/filetree.ts";

export function globMatcher(patterns: readonly string[]): (path: string) => boolean {
  const anywhere = patterns.filter((pattern) => !pattern.includes("/"));
  const anchored = patterns.filter((pattern) => pattern.includes("/")).map((pattern) => pattern.replace(/^\/+/, ""));
  return (path) =>
    anchored.some((pattern) => matchesGlob(path, pattern)) ||
    anywhere.some((pattern) => matchesGlob(baseName(path), pattern));
}
