import fc from "fast-check";
import { expect, test } from "vitest";
import { isBootwrightError } from "../base/errors.ts";
import type { Bill } from "./bill.ts";
import { parseBillStatement } from "./bill-statement.ts";
import { encodeCycloneDx } from "./cyclonedx.ts";
import { encodeSpdx } from "./spdx.ts";

const BILL: Bill = {
  ...{ name: "a.efi", version: "1", sha256: "a".repeat(64), seed: "s", created: 0, toolVersion: "1" },
  packages: [{ name: "b", version: "2", url: "pkg:deb/debian/b@2?arch=all", sha256: "b".repeat(64) }],
  kernels: [{ release: "6.12.1", config: undefined }],
  files: [{ path: "etc/motd", sha256: "c".repeat(64), sha1: "d".repeat(40) }],
  leftOut: 3,
};

test.each([
  ["https://spdx.dev/Document", encodeSpdx],
  ["https://cyclonedx.org/bom", encodeCycloneDx],
])("%s is about the file alone, whole or as a directory", (predicateType, encode) => {
  const text = encode(BILL);
  expect(text).toContain("3 further files");
  expect(parseBillStatement(Buffer.from(text), "b")).toEqual({
    ...{ predicateType, predicate: JSON.parse(text), subjects: [{ name: "a.efi", sha256: BILL.sha256 }] },
  });
  const directory = encode({ ...BILL, sha256: undefined });
  expect(parseBillStatement(Buffer.from(directory), "b")?.subjects).toEqual([]);
});

test("the same bill has the same number, another has another", () => {
  expect(encodeSpdx(BILL)).toBe(encodeSpdx({ ...BILL }));
  const number = (bill: Bill) => JSON.parse(encodeCycloneDx(bill)).serialNumber;
  expect(number({ ...BILL, seed: "t" })).not.toBe(number(BILL));
});

test("other documents are none, and damaged ones are refused with a code", () => {
  expect(parseBillStatement(Buffer.from('{"_type":"x"}'), "b")).toBeUndefined();
  const keys = fc.constantFrom("spdxVersion", "bomFormat", "relationships", "packages", "metadata");
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue()), (value) => {
      try {
        parseBillStatement(Buffer.from(JSON.stringify(value)), "b");
      } catch (error) {
        if (!isBootwrightError(error)) throw error;
      }
    }),
  );
});
