/** What is published, and what it promises in package.json. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";

const ROOT = path.join(import.meta.dirname, "../..");
const manifest = JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8"));
const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: ROOT, encoding: "utf8" }).split("\0").filter(Boolean);

test("everything that is published exists; dist is made when packing", () => {
  const missing = manifest.files.filter((name: string) => name !== "dist" && !fs.existsSync(path.join(ROOT, name)));
  expect(missing).toEqual([]);
  expect(manifest.scripts.prepack).toBe("npm run build");
});

test("each published door is the compiled form of a door of the checkout", () => {
  const doors = Object.entries(manifest.exports as Record<string, string>).filter(([, to]) => to.endsWith(".ts"));
  expect(doors.length).toBeGreaterThan(0);
  for (const [door, to] of doors) {
    const compiled = to.replace("./src/", "./dist/");
    expect(manifest.publishConfig.exports[door]).toEqual({
      types: compiled.replace(/\.ts$/, ".d.ts"),
      default: compiled.replace(/\.ts$/, ".js"),
    });
    expect(fs.existsSync(path.join(ROOT, to)), to).toBe(true);
  }
});

test("versions are exact, and the lock file names no registry", () => {
  const versions = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(String(version)))).toEqual([]);
  expect(fs.readFileSync(path.join(ROOT, "package-lock.json"), "utf8")).not.toMatch(/https?:\/\/[^"]*\.tgz/);
});

test("no file that is made by the tools is under version control", () => {
  expect(tracked.filter((name) => /(^|\/)(dist|out|node_modules|coverage)\/|\.tgz$|\.log$/.test(name))).toEqual([]);
});

test("the test command of the documents is the one that CI runs", () => {
  const ci = fs.readFileSync(path.join(ROOT, ".ci/run"), "utf8");
  expect(ci.match(/^npm .*/m)?.[0].replaceAll(" </dev/null", "")).toBe("npm ci && npm test");
  for (const file of ["README.md", "CONTRIBUTING.md"])
    expect(fs.readFileSync(path.join(ROOT, file), "utf8"), file).toContain("npm ci && npm test");
});
