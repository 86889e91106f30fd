/** `ci init` and `ci check` in a repository, as a user runs them. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { documentOf, runCli } from "../support/cli.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: ci
trees: { root: { from: [{ dir: ./root }], files: { /etc/motd: { file: ./motd } } } }
images: { root: { kind: tar, tree: root } }
publish: { root: { image: root, to: "s3://releases/root" } }
`;

async function ci(dir: string, exit: number, ...words: string[]) {
  const result = await runCli(["ci", ...words, "--json"], { cwd: dir });
  expect(result.exit, result.stdout + result.stderr).toBe(exit);
  return documentOf(result);
}

const files = { motd: "hello", "root/etc/issue": "hello" };

test("written once, as it should be then, and drifted when the config is another", async () => {
  const dir = writeProject(CONFIG, files);
  const build = path.join(dir, ".github/workflows/bootwright-build.yml");
  expect((await ci(dir, 2, "check")).error).toMatchObject({ code: "PATH_MISSING" });
  await ci(dir, 10, "init", "github", "--runner", "self-hosted,kvm", "--dry-run");
  expect(fs.existsSync(build)).toBe(false);
  await ci(dir, 0, "init", "github", "--runner", "self-hosted,kvm");
  const text = fs.readFileSync(build, "utf8");
  for (const line of ["- root/**", "- motd", "- bootwright.yaml", "- self-hosted"]) expect(text).toContain(line);
  expect(await ci(dir, 0, "check")).toMatchObject({ drifted: [], mistakes: [] });
  expect((await ci(dir, 0, "init", "github", "--runner", "self-hosted,kvm")).files).toMatchObject([
    ...[{ changed: false }, { changed: false }],
  ]);
  fs.writeFileSync(build, text.replace(/@[0-9a-f]{40} # v5.0.0/, "@v5"));
  const edited = await ci(dir, 10, "check");
  expect(edited.drifted).toMatchObject([{ file: "bootwright-build.yml", what: "differs" }]);
  expect(edited.drifted[0].diff.filter((line: string) => line.startsWith("-"))).toHaveLength(1);
  expect(edited.mistakes).toMatchObject([{ rule: "pinned" }]);
  fs.writeFileSync(build, text);
  fs.writeFileSync(path.join(dir, "bootwright.yaml"), CONFIG.replace(/^publish.*\n/m, ""));
  expect((await ci(dir, 10, "check")).drifted).toMatchObject([
    { file: "bootwright-release.yml", what: "is not needed any more" },
  ]);
});

test("in an image with Bootwright, a project needs nothing from npm; the image is kept in mind, and is pinned", async () => {
  const dir = writeProject(CONFIG, files);
  const image = "registry.example.org/bootwright/builder:v0.1.0";
  const pinned = `${image}@sha256:${"a".repeat(64)}`;
  expect((await ci(dir, 2, "init", "github", "--container", image)).error.code).toBe("USAGE");
  await ci(dir, 0, "init", "github", "--container", pinned);
  const build = path.join(dir, ".github/workflows/bootwright-build.yml");
  const text = fs.readFileSync(build, "utf8");
  expect(text).toContain(`image: ${pinned}`);
  expect(text).not.toMatch(/npm|npx|setup-node/);
  expect(await ci(dir, 0, "check")).toMatchObject({ drifted: [], mistakes: [] });
  fs.writeFileSync(build, text.replaceAll(`image: ${pinned}`, `image: ${image}`));
  expect((await ci(dir, 10, "check")).mistakes).toMatchObject([{ rule: "pinned" }, { rule: "pinned" }]);
});

test("in a project below the repository's top, paths and commands are below, too", async () => {
  const top = temporaryDir();
  fs.mkdirSync(path.join(top, ".git"));
  const dir = writeProject(CONFIG, files, path.join(top, "images/root"));
  await ci(dir, 0, "init", "github");
  const text = fs.readFileSync(path.join(top, ".github/workflows/bootwright-build.yml"), "utf8");
  expect(text).toContain("working-directory: images/root");
  expect(text).toContain("- images/root/motd");
  expect(text).toContain("hashFiles('images/root/bootwright.lock')");
});

test("files of others are left alone, and names that are none are refused", async () => {
  const dir = writeProject(CONFIG, { ...files, ".github/workflows/bootwright-build.yml": "name: mine\n" });
  expect((await ci(dir, 2, "init", "github")).error).toMatchObject({ code: "EXISTS" });
  const other = writeProject(CONFIG, files);
  expect((await ci(other, 2, "init", "github", "--branch", "a b\nc")).error).toMatchObject({ code: "USAGE" });
  expect((await ci(other, 2, "init", "gitlab")).error).toMatchObject({ code: "USAGE" });
});
