import fc from "fast-check";
import { expect, test } from "vitest";
import { BootwrightError } from "../base/errors.ts";
import { decodePng, decodePpm, encodePng } from "./picture.ts";

const picture = { width: 2, height: 1, rgba: Uint8Array.of(255, 0, 0, 255, 0, 0, 255, 255) };

test("PNG there and back", () => {
  const { width, height, rgba } = decodePng(encodePng(picture));
  expect({ width, height, rgba: Uint8Array.from(rgba) }).toEqual(picture);
});

test("PPM as QEMU writes it", () => {
  expect(decodePpm(Buffer.from("P6\n2 1\n255\n\xff\x00\x00\x00\x00\xff", "latin1"))).toEqual(picture);
  expect(() => decodePpm(Buffer.from("P6\n2 2\n255\n\xff", "latin1"))).toThrow("1 bytes for 2x2");
  expect(() => decodePpm(Buffer.from("P5\n2 2\n255\n"))).toThrow("no P6 header");
});

test("damaged pictures are refused with a code", () => {
  const good = encodePng(picture);
  const huge = Buffer.from(good);
  huge.writeUInt32BE(0xffffff, 16);
  huge.writeUInt32BE(0xffffff, 20);
  expect(() => decodePng(huge)).toThrow("too many pixels");
  fc.assert(
    fc.property(fc.nat({ max: good.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
      const bytes = Buffer.from(good);
      bytes[at] = value;
      try {
        decodePng(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(BootwrightError);
      }
    }),
  );
});
