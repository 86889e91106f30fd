/** One tag in three repositories: made together or refused together, and never twice. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { temporaryDir } from "../support/test-session.ts";
import { commit, git, platformProject, REPOSITORIES } from "./platform-project.ts";

const NOTE = "{ note: refs/notes/checks }";

test("a release is tagged once it is green, the same everywhere", async () => {
  const { json, refused, cli, remote } = await platformProject({ check: NOTE });
  const { release, digest } = await json("release", "new", "v0.1.0");
  expect(await refused("release", "tag", "v0.1.0")).toMatchObject({
    code: "TAG_REFUSED",
    message: expect.stringMatching(
      /^v0\.1\.0 is not tagged\. builder: commit \w{12} is not green: refs\/notes\/checks is not there/,
    ),
  });
  expect((await cli("release", "check", "--dry-run")).exit).toBe(10);
  await json("release", "check", "builder", "kernel");
  expect((await refused("release", "tag", "v0.1.0")).message).toMatch(/iso: commit \w{12} is not green/);
  for (const name of REPOSITORIES) expect(git(remote(name), "tag")).toBe("");
  await json("release", "check");
  expect((await cli("release", "tag", "v0.1.0", "--dry-run")).exit).toBe(10);
  await json("release", "tag", "v0.1.0");
  for (const name of REPOSITORIES) {
    expect(git(remote(name), "cat-file", "-t", "v0.1.0")).toBe("tag");
    expect(git(remote(name), "rev-parse", "v0.1.0^{commit}")).toBe(release.repositories[name].commit);
    expect(git(remote(name), "tag", "-l", "--format=%(contents)", "v0.1.0")).toContain(`release sha256:${digest}`);
    git(remote(name), "fsck", "--strict");
  }
  expect((await json("release", "tag", "v0.1.0")).repositories).toMatchObject([
    { known: true },
    { known: true },
    { known: true },
  ]);
  expect((await cli("release", "tag", "v0.1.0", "--dry-run")).exit).toBe(0);
}, 120_000);

test("killed between two repositories, it goes on where it was", async () => {
  const { json, remote } = await platformProject();
  await json("release", "new", "v0.1.0");
  await json("release", "tag", "v0.1.0");
  const before = REPOSITORIES.map((name) => git(remote(name), "rev-parse", "v0.1.0"));
  for (const name of ["kernel", "iso"]) git(remote(name), "tag", "-d", "v0.1.0");
  expect((await json("release", "tag", "v0.1.0")).repositories.map((one: { known: boolean }) => one.known)).toEqual([
    ...[true, false, false],
  ]);
  expect(REPOSITORIES.map((name) => git(remote(name), "rev-parse", "v0.1.0"))).toEqual(before);
}, 120_000);

test("a tag elsewhere, a lightweight one, and a moved one", async () => {
  const { json, refused, remote, cli } = await platformProject();
  await json("release", "new", "v0.1.0");
  const other = commit(remote("iso"), "feat: more");
  git(remote("iso"), "tag", "-a", "v0.1.0", "-m", "mine", other);
  expect((await refused("release", "tag", "v0.1.0")).message).toMatch(
    /iso: its tag v0\.1\.0 is at \w{12}, the release has \w{12}$/,
  );
  expect(git(remote("builder"), "tag")).toBe("");
  git(remote("iso"), "tag", "-d", "v0.1.0");
  git(remote("iso"), "tag", "v0.1.0", `${other}~1`);
  expect((await refused("release", "tag", "v0.1.0")).message).toContain("is a lightweight one");
  git(remote("iso"), "tag", "-d", "v0.1.0");
  await json("release", "tag", "v0.1.0");
  git(remote("iso"), "tag", "-f", "-a", "v0.1.0", "-m", "moved", other);
  const { exit, stdout } = await cli("release", "verify", "--json");
  expect([exit, JSON.parse(stdout).findings]).toMatchObject([
    7,
    [{ kind: "tag", message: expect.stringContaining("iso: its tag") }],
  ]);
}, 120_000);

test("a commit that left the trunk, and a working tree with changes", async () => {
  const { dir, json, refused, remote } = await platformProject();
  commit(remote("kernel"), "feat: soon gone");
  await json("release", "new", "v0.1.0");
  git(remote("kernel"), "update-ref", "refs/heads/main", "refs/heads/main~1");
  expect((await refused("release", "tag", "v0.1.0")).message).toMatch(/kernel: commit \w{12} is not on main$/);

  const work = path.join(temporaryDir(), "iso");
  git(temporaryDir(), "clone", "--quiet", remote("iso"), work);
  const config = path.join(dir, "bootwright.yaml");
  fs.writeFileSync(config, fs.readFileSync(config, "utf8").replace(remote("iso"), work));
  await json("release", "new", "v0.2.0");
  fs.writeFileSync(path.join(work, "file"), "changed");
  expect((await refused("release", "tag", "v0.2.0")).message).toMatch(/iso: its working tree has changes .*: M file$/);
  git(work, "checkout", "--quiet", "file");
  await json("release", "tag", "v0.2.0");
  expect(git(work, "cat-file", "-t", "v0.2.0")).toBe("tag");
}, 120_000);
