import { expect, test } from "vitest";
import { checkVersion, compareVersions, nextFree } from "./version.ts";

test("the order of semver.org, §11", () => {
  const sorted = [
    "v1.0.0-alpha",
    "v1.0.0-alpha.1",
    "v1.0.0-alpha.beta",
    "v1.0.0-beta",
    "v1.0.0-beta.2",
    "v1.0.0-beta.11",
    "v1.0.0-rc.1",
    "v1.0.0",
    "v1.0.1",
    "v1.10.0",
    "v2.0.0",
  ];
  expect([...sorted].reverse().sort(compareVersions)).toEqual(sorted);
});

test("what is no version is refused", () => {
  for (const bad of ["1.0.0", "v1.0", "v01.0.0", "v1.0.0-", "v1.0.0+x", "latest", "--help", "v1.0.0/../x"])
    expect(() => checkVersion(bad), bad).toThrow("is not a release's version");
  expect(() => checkVersion("1.2.3")).toThrow('did you mean "v1.2.3"?');
});

test("the next free version", () => {
  expect(nextFree("v0.1.0", (one) => one === "v0.1.1")).toBe("v0.1.2");
  expect(nextFree("v0.1.0-rc.1", () => false)).toBe("v0.1.1");
});
