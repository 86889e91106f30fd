/** `npm ci` works from the lock file alone, on each platform. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { completeLock } from "../../scripts/lock.ts";

test("package-lock.json is complete (else: npm run lock)", () => {
  const { packages } = JSON.parse(fs.readFileSync(path.join(import.meta.dirname, "../../package-lock.json"), "utf8"));
  expect(Object.keys(completeLock(packages))).toEqual(Object.keys(packages));
});

test("an optional dependency that is not there is added for its platform", () => {
  const tool = {
    version: "1.0.0",
    dev: true,
    optionalDependencies: {
      "@t/a-linux-x64": "1.2.3",
      "@t/a-linux-arm-musleabihf": "1.2.3",
      "@t/a-win32-ia32-msvc": "1.2.3",
    },
  };
  const there = { version: "1.2.3", cpu: ["x64"], os: ["linux"], dev: true, optional: true };
  expect(completeLock({ "": {}, "node_modules/@t/a-linux-x64": there, "node_modules/tool": tool })).toEqual({
    "": {},
    "node_modules/@t/a-linux-x64": there,
    "node_modules/@t/a-linux-arm-musleabihf": {
      version: "1.2.3",
      cpu: ["arm"],
      libc: ["musl"],
      os: ["linux"],
      dev: true,
      optional: true,
    },
    "node_modules/@t/a-win32-ia32-msvc": { version: "1.2.3", cpu: ["ia32"], os: ["win32"], dev: true, optional: true },
    "node_modules/tool": tool,
  });
});

test("a name that tells no platform is an error", () => {
  expect(() => completeLock({ tool: { optionalDependencies: { other: "1.0.0" } } })).toThrow(/other is in no registry/);
});
