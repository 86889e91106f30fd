import { describe, expect, it } from "vitest";
import { parseConfig, parseFragment } from "./fragment.ts";
import { findUntaken, requireOptions, verifyConfig } from "./verify-config.ts";

const check = (fragment: string, config: string, symbols = "SQUASHFS MISC_FILESYSTEMS TMPFS") => ({
  config: parseConfig(config),
  requests: parseFragment({ name: "./my.config", text: fragment }),
  symbols: new Set(symbols.split(" ")),
});

describe("findUntaken", () => {
  it.each([
    ["a module that is built in", "CONFIG_A=m", "CONFIG_A=y"],
    ["off, and not there", "# CONFIG_A is not set", ""],
    ["an empty text, and not there", 'CONFIG_A=""', ""],
    ["one number in two spellings", "CONFIG_A=0x10", "CONFIG_A=16"],
    ["the same", 'CONFIG_A="x"', 'CONFIG_A="x"'],
  ])("takes %s", (_, fragment, config) => {
    expect(findUntaken(check(fragment, config))).toEqual([]);
  });

  it("lets pass what this kernel does not have, where that was said, and nothing else", () => {
    const request = "# where known: CONFIG_A=y";
    expect(findUntaken(check(request, "", "B"))).toEqual([]);
    expect(findUntaken(check(request, "", "A"))).toMatchObject([{ request: { symbol: "A" }, final: "n", known: true }]);
  });

  it.each([
    ["a module instead of built in", "CONFIG_A=y", "CONFIG_A=m", "m"],
    ["nothing", "CONFIG_A=y", "", "n"],
    ["on instead of off", "# CONFIG_A is not set", "CONFIG_A=y", "y"],
    ["another text", 'CONFIG_A="x"', 'CONFIG_A="y"', '"y"'],
  ])("finds %s", (_, fragment, config, final) => {
    expect(findUntaken(check(fragment, config))).toMatchObject([{ request: { symbol: "A" }, final }]);
  });
});

it("verifyConfig names fragment, line, wanted and final value, and a near name of an unknown option", () => {
  expect(() => verifyConfig(check("CONFIG_TMPFS=y\n\nCONFIG_SQUASHFS=y\nCONFIG_SQUASHF=y", "CONFIG_TMPFS=y"))).toThrow(
    expect.objectContaining({
      code: "KCONFIG_UNTAKEN",
      message: "2 options did not take the value that a fragment asks for",
      detail: [
        "./my.config:3: CONFIG_SQUASHFS should be y, and is n",
        "./my.config:4: CONFIG_SQUASHF should be y, and this kernel has no such option; did you mean CONFIG_SQUASHFS?",
      ].join("\n"),
    }),
  );
});

describe("requireOptions", () => {
  const config = parseConfig('CONFIG_A=m\nCONFIG_B=y\nCONFIG_S="x"');

  it.each(["A", "CONFIG_B", "A=m", "B=y", "S=x"])("%s holds", (requirement) => {
    requireOptions(config, [requirement]);
  });

  it("names all that is missing", () => {
    expect(() => requireOptions(config, ["A=y", "C", "B"])).toThrow(
      expect.objectContaining({
        code: "KCONFIG_UNTAKEN",
        detail: "CONFIG_A should be y, and is m\nCONFIG_C should be y or m, and is n",
      }),
    );
  });
});
