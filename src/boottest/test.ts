/** `test("name", async ({ machine }) => { … })`, as in Playwright: a file's tests register while it is loaded. */
import { BootwrightError } from "../base/errors.ts";
import { type FileCollector, shared, type TestBody, type TestOptions } from "./collector.ts";

interface TestFunction {
  (name: string, body: TestBody): void;
  (name: string, options: TestOptions, body: TestBody): void;
  /** Registers the test and does not run it. */
  skip: (name: string, ...rest: [TestBody] | [TestOptions, TestBody]) => void;
  /** Options for all tests of the file. */
  use: (options: TestOptions) => void;
}

export const test: TestFunction = Object.assign(
  (name: string, ...rest: [TestBody] | [TestOptions, TestBody]) => register(name, rest, false),
  {
    skip: (name: string, ...rest: [TestBody] | [TestOptions, TestBody]) => register(name, rest, true),
    use: (options: TestOptions) => {
      const collector = currentFile("test.use");
      collector.defaults = { ...collector.defaults, ...options };
    },
  },
);

function register(name: string, rest: [TestBody] | [TestOptions, TestBody], skip: boolean): void {
  const collector = currentFile("test");
  const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
  if (collector.tests.some((other) => other.name === name))
    throw new BootwrightError("USAGE", `${collector.file} has two tests named "${name}"`);
  collector.tests.push({ file: collector.file, name, options, body, skip });
}

function currentFile(what: string): FileCollector {
  const { collector } = shared();
  if (collector === undefined)
    throw new BootwrightError("USAGE", `${what}() was called outside of a boot test file`, {
      hint: "call it at the top of a *.boot.ts file, and run that with `bootwright test`",
    });
  return collector;
}
