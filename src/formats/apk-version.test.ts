import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareApkVersions, isApkVersion, satisfiesApkVersion } from "./apk-version.ts";

describe("compareApkVersions", () => {
  it.each([
    ["1.0", "<", "1.1"],
    ["1.9", "<", "1.10"],
    ["1.0", "<", "1.0.0"],
    ["1.0_alpha", "<", "1.0_beta"],
    ["1.0_rc1", "<", "1.0"],
    ["1.0_rc2", "<", "1.0_rc10"],
    ["1.0", "<", "1.0_p1"],
    ["1.0_git20200101", "<", "1.0_p1"],
    ["1.0_pre", "<", "1.0-r1"],
    ["1.0a", "<", "1.0b"],
    ["1.0", "<", "1.0a"],
    ["1.0-r1", "<", "1.0-r2"],
    ["1.0-r9", "<", "1.0-r10"],
    ["1.0-r5", "<", "1.0.1-r0"],
    ["0.05", "<", "0.5"],
    ["1.35.0-r17", "<", "1.36.1-r0"],
    ["1.2.3_p1-r0", ">", "1.2.3-r5"],
    ["10", ">", "9.99"],
    ["6.8.0p2-r4", "<", "6.8.0p10-r0"],
    ["0.99f7-r0", ">", "0.99e9-r0"],
    ["1.0", "=", "1.0"],
    ["1.0_p1", "<", "1.0.1"],
  ])("%s %s %s", (a, operator, b) => {
    const sign = Math.sign(compareApkVersions(a, b));
    expect(sign).toBe({ "<": -1, "=": 0, ">": 1 }[operator]);
    expect(Math.sign(compareApkVersions(b, a))).toBe(sign === 0 ? 0 : -sign);
  });

  it("is an order", () => {
    const version = fc.stringMatching(/^[0-9]{1,2}(\.[0-9]{1,2}){0,2}[ab]?(_(rc|p|git)[0-9]?)?(-r[0-9])?$/);
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        const [ab, bc, ac] = [compareApkVersions(a, b), compareApkVersions(b, c), compareApkVersions(a, c)];
        if (ab <= 0 && bc <= 0) expect(ac).toBeLessThanOrEqual(0);
      }),
      { numRuns: 2000 },
    );
  });

  it("knows what is no version", () => {
    for (const text of ["", "a", "1.", "1_x", "1-2", "1.0-r", "1..2"])
      expect([text, isApkVersion(text)]).toEqual([text, false]);
    expect(compareApkVersions("x", "0")).toBeLessThan(0);
  });
});

it("satisfiesApkVersion: ~ takes all that begin so", () => {
  expect(satisfiesApkVersion("1.2.3-r4", "~", "1.2")).toBe(true);
  expect(satisfiesApkVersion("1.2.3-r4", "~", "1.2.3")).toBe(true);
  expect(satisfiesApkVersion("1.20.3-r4", "~", "1.2")).toBe(false);
  expect(satisfiesApkVersion("1.2.3", ">=", "1.2.3-r0")).toBe(false);
  expect(satisfiesApkVersion("1.2.3-r0", "=", "1.2.3-r0")).toBe(true);
});
