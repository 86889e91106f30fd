import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BlockAllocator } from "./ext4-allocator.ts";
import { BLOCKS_PER_GROUP, type Ext4Layout, hasBackup, planLayout } from "./ext4-layout.ts";

/** Every fixed structure, none over another, all inside. */
function check(layout: Ext4Layout): void {
  const runs = layout.groups.flatMap((group) => [
    ...(group.backup ? [{ start: group.start, count: 1 + layout.descriptorBlocks }] : []),
    { start: group.blockBitmap, count: 1 },
    { start: group.inodeBitmap, count: 1 },
    { start: group.inodeTable, count: layout.tableBlocks },
  ]);
  runs.sort((a, b) => a.start - b.start);
  for (const [i, run] of runs.entries()) {
    const next = runs[i + 1]?.start ?? layout.blocks;
    if (run.start + run.count > next) throw new Error(`${run.start}+${run.count} runs into ${next}`);
  }
  expect(layout.available).toBe(layout.blocks - runs.reduce((sum, run) => sum + run.count, 0));
  expect(layout.groups.reduce((sum, group) => sum + group.blocks, 0)).toBe(layout.blocks);
}

describe("planLayout", () => {
  it("puts copies of the superblock into groups 0, 1 and the powers of 3, 5 and 7", () => {
    const groups = Array.from({ length: 130 }, (_, i) => i).filter(hasBackup);
    expect(groups).toEqual([0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
  });

  it("keeps structures apart at any size and number of inodes, and gives out the rest", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.nat(5000), fc.nat(200_000), fc.nat(40_000_000)),
        fc.oneof(fc.nat(1000), fc.nat(3_000_000)),
        fc.boolean(),
        (blocks, inodes, grow) => {
          const layout = planLayout({ blocks, inodes, grow });
          if (layout === undefined) {
            expect(grow).toBe(false);
            return;
          }
          check(layout);
          expect(layout.inodesPerGroup * layout.groups.length).toBeGreaterThanOrEqual(inodes);
          if (grow) expect(layout.blocks).toBeGreaterThanOrEqual(blocks);
          else expect(layout.blocks).toBeLessThanOrEqual(blocks);
          const all = new BlockAllocator(layout);
          all.take(layout.available);
          expect(all.end).toBeLessThanOrEqual(layout.blocks);
          expect(all.take(1)[0]!.start).toBeGreaterThanOrEqual(layout.blocks);
        },
      ),
    );
  });

  it("leaves a tail away that is too small for a group, or grows it", () => {
    const needs = { blocks: BLOCKS_PER_GROUP + 20, inodes: 100 };
    expect(planLayout({ ...needs, grow: false })!.blocks).toBe(BLOCKS_PER_GROUP);
    expect(planLayout({ ...needs, grow: true })!.blocks).toBeGreaterThan(BLOCKS_PER_GROUP + 50);
    expect(planLayout({ blocks: 20, inodes: 11, grow: false })).toBeUndefined();
  });

  it("refuses more than 16 TiB", () => {
    expect(() => planLayout({ blocks: 2 ** 32, inodes: 11, grow: true })).toThrow("at most 16 TiB");
    check(planLayout({ blocks: 2 ** 32 - 1, inodes: 11, grow: false })!);
  });
});
