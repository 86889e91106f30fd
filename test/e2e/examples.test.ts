/** Every example builds, and its boot tests pass (design §1: an example is real). */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { temporaryDir } from "../support/test-session.ts";
import { elementsOf } from "../support/xml.ts";

const EXAMPLES = path.join(import.meta.dirname, "../../examples");

test.each(fs.readdirSync(EXAMPLES))("%s", { timeout: 600_000 }, async (name) => {
  const dir = path.join(temporaryDir(), name);
  const leftOut = new Set(["out", "bootwright.lock", "test-results"]);
  fs.cpSync(path.join(EXAMPLES, name), dir, { recursive: true, filter: (file) => !leftOut.has(path.basename(file)) });
  const built = await runCli(["build"], { cwd: dir });
  expect(built.exit, built.stderr).toBe(0);
  const tested = await runCli(["test", "--reporter", "junit"], { cwd: dir });
  expect(tested.exit, tested.stdout + tested.stderr).toBe(0);
  expect(tested.stdout).toMatch(/^✓ /m);
  const elements = elementsOf(fs.readFileSync(path.join(dir, "test-results/junit.xml"), "utf8"));
  expect(elements.filter((element) => element === "testcase")).toHaveLength(tested.stdout.match(/^✓ /gm)!.length);
  expect(elements).not.toContain("failure");
});
