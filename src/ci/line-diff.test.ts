import { expect, test } from "vitest";
import { lineDiff } from "./line-diff.ts";

test("what changed, with lines around", () => {
  expect(lineDiff("1\n2\n3\n4\n5\n6\n7", "1\n2\n3\nfour\n5\n6\n7\n8")).toEqual([
    ...[" 2", " 3", "-4", "+four", " 5", " 6", " 7", "+8"],
  ]);
  expect(lineDiff("a", "a")).toEqual([]);
});
