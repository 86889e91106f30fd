import { expect, test } from "vitest";
import type { Action, ChainedEntry } from "./entry.ts";
import { approve, inOrder, promote, rollback } from "./promotion.ts";
import { foldRecord, runningIn } from "./record-state.ts";

const ENVIRONMENTS = {
  prod: { after: "staging", approvals: 2 },
  test: { approvals: 0 },
  staging: { after: "test", approvals: 0 },
};
const digest = (release: string) => release.at(-1)!.repeat(64);

/** "promote prod v0.1.1", "approve prod v0.1.1 one", "release v0.1.1". */
const entries = (...lines: string[]): ChainedEntry[] =>
  lines.map((line, i) => {
    const [action, ...rest] = line.split(" ") as [Action, ...string[]];
    const [environment, release, who = "somebody"] =
      action === "release" ? ["", rest[0]!] : [rest[0]!, rest[1]!, rest[2]];
    const time = `2026-01-0${i + 1}T00:00:00Z`;
    return {
      ...{ serial: i + 1, previous: "", digest: "", counts: true, time, action, environment, release, who },
      releaseDigest: digest(release),
    };
  });
const stateOf = (...lines: string[]) => {
  const { state, findings } = foldRecord(entries(...lines), "here");
  expect(findings).toEqual([]);
  return state;
};
const wish = (environment: string, release: string, who = "somebody") => ({
  ...{ environments: ENVIRONMENTS, environment, release, who },
});
const STAGED = ["release v0.1.1", "promote test v0.1.1", "promote staging v0.1.1"];

test("environments come in their order, however they were written", () => {
  expect(inOrder(ENVIRONMENTS)).toEqual(["test", "staging", "prod"]);
});

test("a release goes along the order only", () => {
  expect(() => promote(stateOf("release v0.1.1"), wish("staging", "v0.1.1"))).toThrow("has not run in test");
  expect(promote(stateOf("release v0.1.1"), wish("test", "v0.1.1"))).toMatchObject({ releaseDigest: digest("1") });
  expect(() => promote(stateOf(), wish("test", "v0.1.1"))).toThrow("there is no release v0.1.1");
  expect(() => promote(stateOf("release v0.1.1"), wish("tset", "v0.1.1"))).toThrow('did you mean "test"?');
});

test("what was rolled back in an environment does not go on from it", () => {
  const state = stateOf(
    "release v0.1.1",
    "release v0.1.2",
    "promote test v0.1.1",
    "promote test v0.1.2",
    "rollback test v0.1.1",
  );
  expect(() => promote(state, wish("staging", "v0.1.2"))).toThrow("has not run in test");
  expect(promote(state, wish("staging", "v0.1.1"))).toBeDefined();
});

test("a release may go on when the environment before runs a newer one", () => {
  const state = stateOf(...STAGED.slice(0, 2), "release v0.1.2", "promote test v0.1.2");
  expect(promote(state, wish("staging", "v0.1.1"))).toBeDefined();
});

test("each approver counts once, for one digest and one environment", () => {
  const once = stateOf(...STAGED, "approve prod v0.1.1 one", "approve prod v0.1.1 one", "approve staging v0.1.1 two");
  expect(() => promote(once, wish("prod", "v0.1.1"))).toThrow("needs 2 approvals for prod and has 1 (one)");
  expect(approve(once, wish("prod", "v0.1.1", "one"))).toBeUndefined();
  const both = stateOf(...STAGED, "approve prod v0.1.1 one", "approve prod v0.1.1 two");
  expect(promote(both, wish("prod", "v0.1.1"))).toMatchObject({ action: "promote", release: "v0.1.1" });
});

test("a rollback goes to what ran before, and takes the approvals of what it leaves", () => {
  const lines = [
    ...[...STAGED, "approve prod v0.1.1 one", "approve prod v0.1.1 two", "promote prod v0.1.1"],
    ...["release v0.1.2", "promote test v0.1.2", "promote staging v0.1.2"],
    ...["approve prod v0.1.2 one", "approve prod v0.1.2 two", "promote prod v0.1.2"],
  ];
  expect(rollback(stateOf(...lines), wish("prod", ""))).toMatchObject({
    release: "v0.1.1",
    releaseDigest: digest("1"),
  });
  const back = stateOf(...lines, "rollback prod v0.1.1");
  expect(runningIn(back, "prod")?.release).toBe("v0.1.1");
  expect(() => promote(back, wish("prod", "v0.1.2"))).toThrow("needs 2 approvals");
  expect(() => rollback(back, wish("prod", ""))).toThrow("nothing ran in prod before");
});

test("an older release is no promotion", () => {
  const state = stateOf("release v0.1.1", "release v0.1.2", "promote test v0.1.2");
  expect(() => promote(state, wish("test", "v0.1.1"))).toThrow("promotion goes forward only");
});

test("entries that no command would have written are found", () => {
  const found = (...lines: string[]) => foldRecord(entries(...lines), "here").findings.map(({ message }) => message);
  expect(found("promote test v0.1.1")).toEqual([
    "here: entry 1 cannot be: promote v0.1.1 to test, but there is no such release before it",
  ]);
  expect(found("release v0.1.1", "release v0.1.1")[0]).toContain("the version was there already");
  expect(found("release v0.1.1", "promote test v0.1.1", "rollback test v0.1.1")[0]).toContain("before was nothing");
});
