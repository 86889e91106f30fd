import fc from "fast-check";
import { expect, test } from "vitest";
import { isBootwrightError, messageOf } from "../base/errors.ts";
import type { Flags } from "./command.ts";
import { parseArguments } from "./parse.ts";

const FLAGS = {
  wait: { type: "boolean", short: "w", summary: "" },
  output: { type: "string", short: "o", value: "PATH", summary: "" },
  graph: { type: "string", choices: ["mermaid", "dot"], summary: "" },
  jobs: { type: "integer", short: "j", value: "N", summary: "", env: true },
  disk: { type: "list", summary: "" },
  debug: { type: "optional", value: "SCOPE", summary: "", env: true },
  offline: { type: "boolean", summary: "", env: true },
} as const satisfies Flags;

const parse = (line: string, env: Record<string, string> = {}) =>
  parseArguments(
    line.split(" ").filter((word) => word !== ""),
    { flags: FLAGS, command: "build", env },
  );

const mistake = (line: string, env: Record<string, string> = {}): string => {
  try {
    parse(line, env);
  } catch (error) {
    return messageOf(error);
  }
  return "";
};

test("flags stand anywhere, in every form", () => {
  const { words, rest, flags } = parse(
    "build -wo a --jobs=3 img --disk 1G --disk=2G --no-offline --debug=x -- -w --odd",
  );
  expect(words).toEqual(["build", "img"]);
  expect(rest).toEqual(["-w", "--odd"]);
  expect(flags).toEqual({ wait: true, output: "a", jobs: 3, disk: ["1G", "2G"], offline: false, debug: "x" });
  expect(parse("-oa").flags.output).toBe("a");
  expect(parse("-o=a").flags.output).toBe("a");
  expect(parse("--output -").flags.output).toBe("-");
  expect(parse("--debug img")).toMatchObject({ words: ["img"], flags: { debug: "all" } });
});

test("flags win over the environment", () => {
  const env = { BOOTWRIGHT_JOBS: "2", BOOTWRIGHT_OFFLINE: "1", BOOTWRIGHT_OUTPUT: "unused" };
  expect(parse("", env).flags).toEqual({ jobs: 2, offline: true, disk: [] });
  expect(parse("-j 4 --no-offline", env).flags).toEqual({ jobs: 4, offline: false, disk: [] });
});

test("mistakes say what was meant", () => {
  expect(mistake("--outptu x")).toBe("unknown flag --outptu; did you mean --output?");
  expect(mistake("--no-wiat")).toBe("unknown flag --no-wiat; did you mean --no-wait?");
  expect(mistake("-x")).toBe("unknown flag -x");
  expect(mistake("--output")).toBe("--output needs a value: --output PATH");
  expect(mistake("--output --wait")).toBe("--output needs a value: --output PATH");
  expect(mistake("--graph mermiad")).toBe('--graph cannot be "mermiad"; did you mean "mermaid"?');
  expect(mistake("--jobs many")).toBe('--jobs needs a whole number, not "many"');
  expect(mistake("--wait=yes")).toBe("--wait takes no value; write --no-wait for the opposite");
  expect(mistake("--no-output")).toContain("unknown flag --no-output");
  expect(mistake("", { BOOTWRIGHT_OFFLINE: "perhaps" })).toBe('BOOTWRIGHT_OFFLINE must be 1 or 0, not "perhaps"');
});

test("arbitrary words give values or a usage error", () => {
  const word = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.constantFrom(
      "--",
      "-",
      "--no-",
      "--=",
      "-w",
      "--wait",
      "--disk",
      "-oj",
      "--__proto__",
      "--constructor",
      "--no-toString",
    ),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      try {
        parseArguments(argv, { flags: FLAGS, command: "", env: {} });
      } catch (error) {
        expect(isBootwrightError(error) && error.code).toBe("USAGE");
      }
    }),
    { numRuns: 2000 },
  );
});
