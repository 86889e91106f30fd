import { describe, expect, it } from "vitest";
import { crc32c } from "./crc32c.ts";
import { encodeExtents, extentBlockCount } from "./ext4-extents.ts";
import type { Run } from "./ext4-layout.ts";

/** Walks a tree as the kernel does; gives the extents and its depth. */
function walk(runs: readonly Run[], seed = 7) {
  const numbers = Array.from({ length: extentBlockCount(runs) }, (_, i) => 1_000_000 + 3 * i);
  const { root, blocks } = encodeExtents(runs, numbers, seed);
  expect(blocks).toHaveLength(numbers.length);
  const found: { logical: number; start: number; count: number }[] = [];
  const visit = (node: Buffer, depth: number) => {
    expect([node.readUInt16LE(0), node.readUInt16LE(6)]).toEqual([0xf30a, depth]);
    const [count, most] = [node.readUInt16LE(2), node.readUInt16LE(4)];
    expect(count).toBeLessThanOrEqual(most);
    for (let at = 12; at < 12 + 12 * count; at += 12) {
      const logical = node.readUInt32LE(at);
      if (depth === 0) found.push({ logical, start: node.readUInt32LE(at + 8), count: node.readUInt16LE(at + 4) });
      else {
        const child = blocks[(node.readUInt32LE(at + 4) - 1_000_000) / 3]!;
        expect(child.readUInt32LE(12)).toBe(logical);
        expect(child.readUInt32LE(4092)).toBe(crc32c(seed, child, 0, 4092));
        visit(child, depth - 1);
      }
    }
  };
  const depth = root.readUInt16LE(6);
  visit(root, depth);
  return { found, depth };
}

describe("encodeExtents", () => {
  it("keeps four in the inode, and none for an empty file", () => {
    expect(walk([])).toEqual({ found: [], depth: 0 });
    const runs = [0, 1, 2, 3].map((i) => ({ start: 100 * i, count: 2 }));
    expect(walk(runs)).toEqual({ found: runs.map((run, i) => ({ ...run, logical: 2 * i })), depth: 0 });
  });

  it("cuts a long run into extents of 32,768 blocks", () => {
    const { found } = walk([{ start: 50, count: 70_000 }]);
    expect(found.map(({ count }) => count)).toEqual([32768, 32768, 4464]);
    expect(found[2]).toMatchObject({ logical: 65536, start: 50 + 65536 });
  });

  it.each([
    [5, 1],
    [340 * 4, 1],
    [340 * 4 + 1, 2],
    [340 * 340 * 4 + 1, 3],
  ])("%i extents make a tree of depth %i", (count, depth) => {
    const runs = Array.from({ length: count }, (_, i) => ({ start: 5 * i, count: 1 }));
    const tree = walk(runs);
    expect(tree.depth).toBe(depth);
    expect(tree.found).toHaveLength(count);
    expect(tree.found.every(({ logical, start }, i) => logical === i && start === 5 * i)).toBe(true);
  });
});
