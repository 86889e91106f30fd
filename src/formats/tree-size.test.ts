import { expect, it } from "vitest";
import type { TreeEntry } from "./filetree.ts";
import { largestFiles, treeSize } from "./tree-size.ts";

const file = (path: string, size: number, link?: number): TreeEntry => ({
  ...{ type: "file", path, mode: 0o644, uid: 0, gid: 0, content: { hash: path, size } },
  ...(link !== undefined && { link }),
});

it("counts each content once, however many names it has", () => {
  const tree = [file("a", 5, 1), file("b", 5, 1), file("c", 3), file("d", 9)];
  expect(treeSize(tree)).toBe(17);
  expect(largestFiles(tree, 2).map(({ path }) => path)).toEqual(["d", "a"]);
});
