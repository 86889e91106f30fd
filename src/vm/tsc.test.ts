import { expect, test } from "vitest";
import { parseTscKhz, withTscFrequency } from "./tsc.ts";

test("the nominal frequency, else the current one, else nothing", () => {
  const intel = "model name\t: Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz\ncpu MHz\t\t: 1200.000\n";
  expect(parseTscKhz(intel)).toBe(2_400_000);
  expect(parseTscKhz("model name\t: AMD EPYC\ncpu MHz\t\t: 2596.120\n")).toBe(2_596_120);
  expect(parseTscKhz("Processor : AArch64\n")).toBeUndefined();
});

test("what the user gave stays", () => {
  expect(withTscFrequency("quiet", 1)).toBe("quiet tsc_early_khz=1");
  expect(withTscFrequency("", 1)).toBe("tsc_early_khz=1");
  expect(withTscFrequency("tsc_early_khz=5 quiet", 1)).toBe("tsc_early_khz=5 quiet");
});
