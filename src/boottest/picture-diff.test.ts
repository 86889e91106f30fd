import { expect, test } from "vitest";
import { comparePictures, crop } from "./picture-diff.ts";

function grey(width: number, height: number, ...dots: readonly (readonly [x: number, y: number])[]) {
  const rgba = new Uint8Array(width * height * 4).fill(128);
  for (const [x, y] of dots) rgba[(y * width + x) * 4] = 255;
  return { width, height, rgba };
}

test("equal pictures have no difference; transparency does not count", () => {
  const other = grey(4, 3);
  other.rgba[3] = 0;
  expect(comparePictures(grey(4, 3), other)).toBeUndefined();
});

test("one pixel counts, and is found", () => {
  const difference = comparePictures(grey(8, 6), grey(8, 6, [2, 1], [5, 4]));
  expect(difference?.count).toBe(2);
  expect(difference?.bounds).toEqual({ x: 2, y: 1, width: 4, height: 4 });
  expect([...(difference?.picture.rgba.subarray((8 + 2) * 4, (8 + 2) * 4 + 4) ?? [])]).toEqual([255, 0, 0, 255]);
});

test("a region is cut out, and at the edges", () => {
  const part = crop(grey(8, 6, [2, 1]), { x: 2, y: 1, width: 100, height: 2 });
  expect([part.width, part.height, part.rgba[0]]).toEqual([6, 2, 255]);
  expect(crop(grey(2, 2), { x: 5, y: 5, width: 1, height: 1 })).toMatchObject({ width: 0, height: 0 });
});
