/** Exact comparison of two pictures, and a picture of where they differ. */
import type { Picture } from "../vm/index.ts";

export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The part of a picture inside `region`, cut at the picture's edges. */
export function crop(picture: Picture, region: Region): Picture {
  const x = Math.min(Math.max(0, region.x), picture.width);
  const y = Math.min(Math.max(0, region.y), picture.height);
  const width = Math.min(region.width, picture.width - x);
  const height = Math.min(region.height, picture.height - y);
  const rgba = new Uint8Array(width * height * 4);
  for (let row = 0; row < height; row++) {
    const from = ((y + row) * picture.width + x) * 4;
    rgba.set(picture.rgba.subarray(from, from + width * 4), row * width * 4);
  }
  return { width, height, rgba };
}

export interface PictureDifference {
  /** Pixels. */
  readonly count: number;
  /** The smallest rectangle around all of them. */
  readonly bounds: Region;
  /** The received picture, pale, with the differing pixels in red. */
  readonly picture: Picture;
}

/** Undefined when the pictures are equal. Both must have the same size. */
export function comparePictures(expected: Picture, received: Picture): PictureDifference | undefined {
  const { width, height } = expected;
  const rgba = new Uint8Array(width * height * 4);
  let [count, left, top, right, bottom] = [0, width, height, 0, 0];
  for (let i = 0; i < width * height; i++) {
    const at = i * 4;
    const same = [0, 1, 2].every((c) => expected.rgba[at + c] === received.rgba[at + c]);
    rgba.set(same ? pale(received.rgba, at) : RED, at);
    if (same) continue;
    count++;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  if (count === 0) return undefined;
  const bounds = { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
  return { count, bounds, picture: { width, height, rgba } };
}

const RED = [255, 0, 0, 255] as const;

function pale(rgba: Uint8Array, at: number): readonly number[] {
  const grey = (rgba[at]! + rgba[at + 1]! + rgba[at + 2]!) / 3;
  const value = 192 + Math.floor(grey / 4);
  return [value, value, value, 255];
}
