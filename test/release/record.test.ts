/** The record in its place and in git: what is done to either is found; what died between them is finished. */
import fs from "node:fs";
import path from "node:path";
import { beforeEach, expect, test } from "vitest";
import { temporaryDir } from "../support/test-session.ts";
import { git, type PlatformProject, platformProject } from "./platform-project.ts";

const REF = "refs/bootwright/record";

let project: PlatformProject;
let remote = "";

beforeEach(async () => {
  project = await platformProject();
  remote = project.remote("platform");
  await project.json("release", "new", "v0.1.0");
  await project.json("promote", "test", "v0.1.0");
  await project.json("promote", "staging", "v0.1.0");
}, 60_000);

const verify = async (): Promise<readonly string[]> => {
  const { exit, stdout } = await project.cli("release", "verify", "--json");
  const { findings, valid } = JSON.parse(stdout);
  expect([exit, valid]).toEqual(findings.length === 0 ? [0, true] : [7, false]);
  return findings.map(({ kind, serial }: { kind: string; serial: number }) => `${kind} ${serial}`);
};
const forget = () => fs.rmSync(path.join(project.dir, "user"), { recursive: true });

/** Rewrites the newest commit of the record with a file changed. */
function amend(name: string, change: (text: string) => string): void {
  const work = temporaryDir();
  git(work, "init", "--quiet");
  git(work, "fetch", "--quiet", remote, REF);
  git(work, "checkout", "--quiet", "--detach", "FETCH_HEAD");
  const file = path.join(work, name);
  fs.writeFileSync(file, change(fs.readFileSync(file, "utf8")));
  git(work, "add", "-A");
  git(work, "commit", "--quiet", "--amend", "--no-edit", "--allow-empty", "--reset-author");
  git(work, "push", "--quiet", "--force", remote, `HEAD:${REF}`);
}

test("git has one commit an entry, and says what was done", async () => {
  expect(git(remote, "log", "--format=%s by %an", REF).split("\n")).toEqual([
    "promote v0.1.0 to staging by release@example.org",
    "promote v0.1.0 to test by release@example.org",
    "release v0.1.0 by release@example.org",
  ]);
  for (const serial of [1, 2, 3])
    expect(git(remote, "show", `${REF}:record/${serial}`)).toBe(
      fs.readFileSync(path.join(project.dir, `record/record/${serial}`), "utf8").trimEnd(),
    );
  expect(await verify()).toEqual([]);
  git(remote, "fsck", "--strict");
}, 60_000);

test("a command that died before git is finished by the next one", async () => {
  git(remote, "update-ref", REF, `${REF}~1`);
  forget();
  expect(await verify()).toEqual([]);
  await project.json("promote", "staging", "v0.1.0");
  expect(git(remote, "log", "--format=%s", REF).split("\n")).toHaveLength(3);
}, 60_000);

test("git is cut off: by more than a death explains, and by one whom somebody has seen", async () => {
  git(remote, "update-ref", REF, `${REF}~1`);
  expect(await verify()).toEqual(["truncated 3"]);
  expect((await project.refused("rollback", "test")).code).toBe("PROMOTION_REFUSED");
  expect((await project.refused("promote", "staging", "v0.1.0")).code).toBe("RECORD_BROKEN");
  forget();
  git(remote, "update-ref", REF, `${REF}~1`);
  expect(await verify()).toEqual(["truncated 2"]);
}, 60_000);

test("the place is cut off: git tells whoever has seen nothing", async () => {
  fs.rmSync(path.join(project.dir, "record/record/3"));
  fs.writeFileSync(path.join(project.dir, "record/record/current"), "2\n");
  forget();
  expect(await verify()).toEqual(["truncated 3"]);
  expect(await project.refused("promote", "staging", "v0.1.0")).toMatchObject({
    code: "RECORD_BROKEN",
    message: expect.stringContaining("git has entry 3"),
  });
}, 60_000);

test("an entry in git is edited: by a force-pushed commit", async () => {
  amend("record/3", (text) => text.replace('"staging"', '"prod"'));
  expect(await verify()).toEqual(["edited 3"]);
}, 60_000);

test("commits are made anew with the same entries", async () => {
  amend("record/3", (text) => text);
  expect(await verify()).toEqual(["edited 3"]);
}, 60_000);

test("a gap in git", async () => {
  const work = temporaryDir();
  git(work, "init", "--quiet");
  git(work, "fetch", "--quiet", remote, REF);
  git(work, "checkout", "--quiet", "--detach", "FETCH_HEAD");
  git(work, "rm", "--quiet", "record/2");
  git(work, "commit", "--quiet", "-m", "gone");
  git(work, "push", "--quiet", remote, `HEAD:${REF}`);
  expect(await verify()).toContain("gap 2");
}, 60_000);

test("two histories: the place was restored from a copy, and went on", async () => {
  const copy = path.join(temporaryDir(), "copy");
  fs.cpSync(path.join(project.dir, "record"), copy, { recursive: true });
  await project.json("release", "new", "v0.2.0");
  fs.rmSync(path.join(project.dir, "record"), { recursive: true });
  fs.cpSync(copy, path.join(project.dir, "record"), { recursive: true });
  forget();
  expect((await project.refused("release", "new", "v0.3.0")).code).toBe("RECORD_BROKEN");
  const config = path.join(project.dir, "bootwright.yaml");
  const text = fs.readFileSync(config, "utf8");
  fs.writeFileSync(config, text.replace(/^ {2}git: .*\n/m, "")); // Somebody who writes past git.
  await project.json("rollback", "test", "--dry-run").catch(() => {});
  await project.json("approve", "prod", "v0.1.0", "--key", "keys/approver");
  fs.writeFileSync(config, text);
  expect(await verify()).toEqual(["fork 4"]);
}, 60_000);

test("a release's document is edited", async () => {
  const file = path.join(project.dir, "record/releases/v0.1.0.json");
  fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace('"previous": ""', '"previous": "v0.0.1"'));
  expect(await verify()).toEqual(["release 0"]);
  expect((await project.refused("release", "show", "v0.1.0")).code).toBe("DIGEST_MISMATCH");
  expect((await project.refused("approve", "prod", "v0.1.0", "--key", "keys/approver")).code).toBe("DIGEST_MISMATCH");
}, 60_000);
