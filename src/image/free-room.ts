import type { FileTree } from "../formats/filetree.ts";

/** Bytes that a file system whose size nobody gave has left for its users: a quarter of what its files hold, each name counted. */
export const freeRoom = (tree: FileTree): number =>
  Math.ceil(tree.reduce((sum, entry) => sum + (entry.type === "file" ? entry.content.size : 0), 0) / 4);
