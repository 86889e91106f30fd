import fc from "fast-check";
import { expect, it } from "vitest";
import { isBootwrightError } from "../base/errors.ts";
import { sourceOfBytes } from "./byte-source.ts";
import { fixVmdk } from "./vmdk.ts";

const DESCRIPTOR = '# Disk DescriptorFile\nversion=1\nCID=9f8e7d6c\nparentCID=ffffffff\n\nRW 2048 SPARSE "image"\n';

function vmdk(text = DESCRIPTOR): Buffer {
  const file = Buffer.alloc(512 * 30);
  file.write("KDMV", 0, "latin1");
  file.writeBigUInt64LE(1n, 28);
  file.writeBigUInt64LE(20n, 36);
  file.write(text, 512, "latin1");
  return file;
}

it("replaces the content id and its own name, and leaves the rest", () => {
  const { offset, bytes } = fixVmdk(sourceOfBytes(vmdk()), { contentId: 0xab, fileName: "disk.vmdk" });
  expect([offset, bytes.length]).toEqual([512, 20 * 512]);
  expect(Buffer.from(bytes).toString("latin1").replace(/\0+$/, "")).toBe(
    DESCRIPTOR.replace("9f8e7d6c", "000000ab").replace('"image"', '"disk.vmdk"'),
  );
});

it("keeps a name as it is, whatever a replacement would make of it", () => {
  const { bytes } = fixVmdk(sourceOfBytes(vmdk()), { contentId: 1, fileName: "a$&b.vmdk" });
  expect(Buffer.from(bytes).toString("latin1")).toContain('SPARSE "a$&b.vmdk"');
});

it("refuses what is no sparse disk, and says no more than a code for damage", () => {
  const fix = (bytes: Uint8Array) => fixVmdk(sourceOfBytes(bytes), { contentId: 1, fileName: "x" });
  expect(() => fix(vmdk("no extent"))).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  expect(() => fix(Buffer.alloc(600))).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }), fc.nat(512 * 30), (changes, length) => {
      const bytes = vmdk().subarray(0, length);
      for (const [at, value] of changes) if (at < length) bytes[at] = value;
      try {
        fix(bytes);
      } catch (error) {
        expect(isBootwrightError(error)).toBe(true);
      }
    }),
  );
});
