import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { configLine, mergeFragments, parseConfig, parseFragment } from "./fragment.ts";

const parse = (...lines: string[]) => parseFragment({ name: "f", text: lines.join("\n") });
const pairs = (...lines: string[]) => parse(...lines).map(({ symbol, value }) => `${symbol}=${value}`);

describe("parseFragment", () => {
  it("reads what a .config has: values, what is off, comments", () => {
    expect(
      pairs(
        "CONFIG_A=y",
        "# CONFIG_B is not set",
        "",
        "# a comment",
        "CONFIG_N=64",
        "CONFIG_X=0xff",
        'CONFIG_S="a \\"b\\""',
      ),
    ).toEqual(["A=y", "B=n", "N=64", "X=0xff", 'S="a \\"b\\""']);
  });

  it("knows where each line is, whatever the line ends are", () => {
    expect(parseFragment({ name: "f", text: "\uFEFF# x\r\nCONFIG_A=m\r\n" })).toEqual([
      { symbol: "A", value: "m", fragment: "f", line: 2 },
    ]);
  });

  it("knows what is asked for only where the kernel has it", () => {
    expect(parse("# where known: CONFIG_A=y", "# where known: # CONFIG_B is not set", "# where known")).toEqual([
      { symbol: "A", value: "y", fragment: "f", line: 1, whereKnown: true },
      { symbol: "B", value: "n", fragment: "f", line: 2, whereKnown: true },
    ]);
  });

  it.each([
    ["a word that is no option", "SQUASHFS=y"],
    ["a value without quotes", "CONFIG_LOCALVERSION=-x"],
    ["no value", "CONFIG_A="],
    ["a quote that does not end", 'CONFIG_A="x'],
    ["text after the value", "CONFIG_A=y # because"],
    ["no option where the kernel has it", "# where known: A"],
  ])("%s is an error with its line", (_, line) => {
    expect(() => parse("CONFIG_OK=y", line)).toThrow(
      expect.objectContaining({ code: "KCONFIG_INVALID", detail: expect.stringContaining("f:2: ") }),
    );
  });

  it("says all lines that it does not understand", () => {
    expect(() => parse("one", "two")).toThrow(expect.objectContaining({ detail: "f:1: one\nf:2: two" }));
  });

  it("reads what it writes", () => {
    const value = fc.oneof(
      fc.constantFrom("y", "m", "n"),
      fc.integer().map(String),
      fc.string({ unit: "grapheme-ascii" }).map((text) => JSON.stringify(text.replaceAll(/[^\x20-\x7e]/g, ""))),
    );
    const symbol = fc.stringMatching(/^[A-Z][A-Z0-9_]{0,20}$/);
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(symbol, value), { selector: ([name]) => name }), (options) => {
        const text = options.map(([name, set]) => configLine({ symbol: name, value: set })).join("\n");
        expect(parseFragment({ name: "f", text }).map((one) => [one.symbol, one.value])).toEqual(options);
      }),
    );
  });

  it("never fails in another way than with its code", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseFragment({ name: "f", text });
        } catch (error) {
          expect(error).toMatchObject({ code: "KCONFIG_INVALID" });
        }
      }),
    );
  });
});

describe("mergeFragments", () => {
  const merge = (...texts: string[]) => mergeFragments(texts.map((text, i) => ({ name: `f${i}`, text })));

  it("the last one wins, and says whom it overrode", () => {
    const { requests, overridden } = merge("CONFIG_A=y\nCONFIG_B=y", "CONFIG_B=m\nCONFIG_A=y");
    expect(requests.map(({ symbol, value, fragment }) => [symbol, value, fragment])).toEqual([
      ["A", "y", "f1"],
      ["B", "m", "f1"],
    ]);
    expect(overridden).toEqual([
      {
        before: { symbol: "B", value: "y", fragment: "f0", line: 2 },
        after: { symbol: "B", value: "m", fragment: "f1", line: 1 },
      },
    ]);
  });

  it("an empty fragment is a mistake", () => {
    expect(() => merge("CONFIG_A=y", "# nothing yet\n")).toThrow(
      expect.objectContaining({ code: "KCONFIG_INVALID", message: expect.stringContaining("f1 asks for no option") }),
    );
  });
});

it("parseConfig gives what is on", () => {
  expect([...parseConfig('#\nCONFIG_A=y\n# CONFIG_B is not set\nCONFIG_S="x y"\n')]).toEqual([
    ["A", "y"],
    ["S", '"x y"'],
  ]);
});
