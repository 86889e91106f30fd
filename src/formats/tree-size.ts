/** What a tree weighs: the bytes of its files, each hard-linked content once. */
import type { FileEntry, FileTree } from "./filetree.ts";

/** Files that bring their content: of hard links, the first. */
export function* distinctFiles(tree: FileTree): Generator<FileEntry> {
  const seen = new Set<number>();
  for (const entry of tree) {
    if (entry.type !== "file" || (entry.link !== undefined && seen.has(entry.link))) continue;
    if (entry.link !== undefined) seen.add(entry.link);
    yield entry;
  }
}

/** Bytes. */
export function treeSize(tree: FileTree): number {
  let sum = 0;
  for (const { content } of distinctFiles(tree)) sum += content.size;
  return sum;
}

export const largestFiles = (tree: FileTree, count: number): readonly FileEntry[] =>
  [...distinctFiles(tree)].sort((a, b) => b.content.size - a.content.size).slice(0, count);
