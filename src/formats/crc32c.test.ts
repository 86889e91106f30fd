import fc from "fast-check";
import { expect, it } from "vitest";
import { CRC_START, crc32c, crc32cNumber } from "./crc32c.ts";

/** With the inversion at the end that other users of CRC-32C have. */
const standard = (bytes: Uint8Array) => (~crc32c(CRC_START, bytes) >>> 0).toString(16);

it("gives the published values (RFC 3720, B.4)", () => {
  expect(standard(Buffer.from("123456789"))).toBe("e3069283");
  expect(standard(Buffer.alloc(32))).toBe("8a9136aa");
  expect(standard(Buffer.alloc(32, 0xff))).toBe("62a8ab43");
  expect(standard(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))).toBe("46dd794e");
});

it("goes on where it stopped, wherever the cut is", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), (bytes, cut) => {
      const at = Math.min(cut, bytes.length);
      expect(crc32c(crc32c(CRC_START, bytes, 0, at), bytes, at)).toBe(crc32c(CRC_START, bytes));
    }),
  );
  expect(crc32cNumber(5, 0xfedcba98)).toBe(crc32c(5, Buffer.of(0x98, 0xba, 0xdc, 0xfe)));
});
