/** From what runs in prod back to its sources, without network and with keys of one's own: each link, broken, is told apart. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { publish } from "../../src/api/publish.ts";
import { verify } from "../../src/api/verify.ts";
import type { Link } from "../../src/verify/link.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { serveDirectory } from "../support/served-directory.ts";
import { temporaryDir, testSession, writeProject } from "../support/test-session.ts";
import {
  attestingMaker,
  commit,
  git,
  type PlatformProject,
  platformProject,
  promoteToProd,
} from "./platform-project.ts";

const BUILDER = "https://ci.example.org/release";
const policy = ({ approvals = 1, approver = "approver", builder = BUILDER, more = "" } = {}): string => `
environment: { keys: [keys/release.pub], approvals: ${approvals}, approvers: { approver: keys/${approver}.pub } }
provenance: { keys: [maker.crt], builder: "${builder}", signature: true ${more} }
`;

let platform: PlatformProject;
let kernel = "";
let published = "";

beforeAll(async () => {
  published = path.join(temporaryDir(), "published");
  platform = await platformProject({ publishes: { kernel: published } });
  kernel = await attestingMaker(platform, { to: published, builder: BUILDER });
  await publish(testSession(kernel), { names: [], dryRun: false });
  fs.copyFileSync(path.join(kernel, "keys/maker.crt"), path.join(platform.dir, "maker.crt"));
  await release("v0.1.0");
}, 120_000);

async function release(version: string): Promise<void> {
  await platform.json("release", "new", version);
  await promoteToProd(platform, version);
}

async function look(ref = "env:prod", text = policy()) {
  fs.writeFileSync(path.join(platform.dir, "policy.yaml"), text);
  const session = testSession(platform.dir, { offline: true, dataDir: path.join(platform.dir, "user") });
  const report = await verify(session, { ref, policy: "policy.yaml" });
  const links = report.data.links as unknown as readonly Link[];
  const broken = links.filter(({ state }) => state === "broken").map(({ link, code }) => `${link} ${code}`);
  expect(report.exit).toBe(broken.length === 0 ? 0 : 7);
  return { report, links, broken };
}

/** What is broken when files are changed; then they are as before. */
async function brokenBy(dir: string, change: () => void): Promise<readonly string[]> {
  const before = path.join(temporaryDir(), "before");
  fs.cpSync(dir, before, { recursive: true });
  change();
  const { broken } = await look();
  fs.rmSync(dir, { recursive: true });
  fs.cpSync(before, dir, { recursive: true });
  return broken;
}

const name = "kernel-kernel-0.1.0-x86_64.tar";
const record = (file: string): string => path.join(platform.dir, "record", file);
const beside = (ending: string): string => path.join(published, `${name}${ending}`);
const sha256 = (): string =>
  createHash("sha256")
    .update(fs.readFileSync(path.join(published, name)))
    .digest("hex");
const rewrite = (file: string, change: (text: string) => string): void =>
  fs.writeFileSync(file, change(fs.readFileSync(file, "utf8")));

test("all of it holds, in a table for people and in one document", async () => {
  const { report, links, broken } = await look();
  expect(broken).toEqual([]);
  expect(links.map(({ link }) => link)).toEqual([
    ...["record", "git", "pointer", "approvals", "release"],
    ...["bytes", "signature", "provenance", "bill"],
  ]);
  expect(report.data).toMatchObject({ environment: "prod", release: "v0.1.0", holds: true, passedOver: [] });
  expect(report.text).toMatch(/^✓ {2}approvals .* 1 of 1: approver$/m);
  expect(report.text).toContain(`from commit ${git(kernel, "rev-parse", "HEAD").slice(0, 12)}`);
  expect((await look("env:prod/kernel")).broken).toEqual([]);
  await expect(look("env:prod/kernle")).rejects.toMatchObject({ code: "NAME_UNKNOWN" });
  await expect(look("env:prod", "provenance: { keys: [maker.crt] }\n")).rejects.toMatchObject({ code: "USAGE" });

  const user = { BOOTWRIGHT_DATA: path.join(platform.dir, "user") };
  fs.writeFileSync(path.join(platform.dir, "policy.yaml"), policy({ approvals: 2 }));
  const words = ["verify", "env:prod", "--policy", "policy.yaml", "--offline"];
  const told = await runCli(words, { cwd: platform.dir, env: user });
  expect([told.exit, told.stdout]).toEqual([
    7,
    expect.stringMatching(/^✗ {2}approvals .* approvals: 1 of 2: approver$/m),
  ]);
}, 60_000);

test("a record that a web server shows: status, history, release verify, and all of the way", async () => {
  await using served = await serveDirectory(platform.dir);
  const reader = writeProject(
    fs
      .readFileSync(path.join(platform.dir, "bootwright.yaml"), "utf8")
      .replace("record: ./record", `record: "${served.url("record")}"`),
  );
  for (const name of ["keys", "maker.crt"])
    fs.cpSync(path.join(platform.dir, name), path.join(reader, name), { recursive: true });
  fs.writeFileSync(path.join(reader, "policy.yaml"), policy());
  const env = { BOOTWRIGHT_DATA: path.join(reader, "user") };
  const json = async (cwd: string, ...args: string[]) => {
    const result = await runCli([...args, "--json"], { cwd, env });
    expect(result.exit, result.stderr).toBe(0);
    return documentOf(result);
  };
  expect((await json(reader, "status")).environments).toMatchObject(
    ["test", "staging", "prod"].map((name) => ({ name, release: "v0.1.0" })),
  );
  expect((await json(reader, "history")).entries).toEqual((await platform.json("history")).entries);
  expect(await json(reader, "release", "verify")).toMatchObject({ valid: true, serial: 5 });
  const links = async (cwd: string, ...more: string[]) =>
    (await json(cwd, "verify", "env:prod", "--policy", "policy.yaml", ...more)).links.map(
      ({ link, state }: Link) => `${link} ${state}`,
    );
  const whole = await links(reader);
  expect(whole).toHaveLength(9);
  expect(whole.filter((one: string) => !one.endsWith(" holds"))).toEqual([]);
  expect((await runCli(["release", "new", "v0.2.0"], { cwd: reader, env })).stderr).toContain("UNSUPPORTED");
  expect((await runCli(["status", "--offline"], { cwd: reader, env })).stderr).toContain("OFFLINE");

  // Who only takes what runs there asks the same, with the public keys.
  const consumer = writeProject(
    `
name: consumer
sources: { releases: { truthdb: { record: "${served.url("record")}", keys: [./keys/release.pub] } } }
`,
    { "policy.yaml": policy() },
  );
  fs.mkdirSync(path.join(consumer, "keys"));
  for (const name of ["keys/release.pub", "keys/approver.pub", "maker.crt"])
    fs.copyFileSync(path.join(platform.dir, name), path.join(consumer, name));
  expect(await links(consumer, "--from", "truthdb")).toEqual(whole.filter((one: string) => !one.startsWith("git ")));

  const entry = record("record/3");
  const before = fs.readFileSync(entry);
  rewrite(entry, (text) => text.replace("staging", "prod"));
  for (const args of [["status"], ["release", "verify"], ["verify", "env:prod", "--policy", "policy.yaml"]])
    expect((await runCli(args, { cwd: reader, env })).exit, args.join(" ")).toBe(7);
  fs.writeFileSync(entry, before);
}, 120_000);

test("each link, broken", async () => {
  const dir = path.join(platform.dir, "record");
  const by = (change: () => void) => brokenBy(dir, change);
  expect(await by(() => fs.rmSync(record("record/2")))).toEqual(["record gap"]);
  expect(await by(() => rewrite(record("record/3"), (text) => text.replace("staging", "prod")))).toEqual([
    "record edited",
  ]);
  expect(await by(() => fs.rmSync(record("record/5")))).toEqual(["record truncated", "git truncated"]);
  expect(await by(() => rewrite(record("releases/v0.1.0.json"), (text) => text.replace("truthdb", "other")))).toEqual([
    "release release",
  ]);
  const ref = path.join(platform.remote("platform"), "refs/bootwright");
  expect(await brokenBy(ref, () => fs.rmSync(path.join(ref, "record")))).toEqual(["git truncated"]);

  expect((await look("env:prodd")).broken).toEqual(["pointer nothing-runs"]);
  expect((await look("env:prod", policy({ approvals: 2 }))).broken).toEqual(["approvals approvals"]);
  const stranger = await look("env:prod", policy({ approver: "release" }));
  expect([stranger.broken, stranger.report.data.passedOver]).toEqual([
    ["approvals approvals"],
    [expect.objectContaining({ where: "entry 4", code: "SIGNATURE_INVALID" })],
  ]);
  const keys = policy().replace("keys/release.pub", "keys/approver.pub");
  expect((await look("env:prod", keys)).broken).toEqual(["record edited", "git edited"]);

  const [place, content] = [(change: () => void) => brokenBy(published, change), `files/sha256-${sha256()}.${name}`];
  expect(await place(() => fs.rmSync(path.join(published, content)))).toEqual(["bytes bytes"]);
  expect(await place(() => rewrite(path.join(published, content), (text) => text.replace("hello", "HELLO")))).toEqual([
    ...["bytes bytes", "signature artifact-signature", "provenance provenance", "bill bill"],
  ]);
  expect(await place(() => fs.rmSync(beside(".sig")))).toEqual(["signature artifact-signature"]);
  expect(await place(() => fs.rmSync(beside(".intoto.jsonl")))).toEqual(["provenance provenance"]);
  expect(await place(() => rewrite(beside(".intoto.jsonl"), (text) => text.replace('"sig":"M', '"sig":"N')))).toEqual([
    "provenance provenance",
  ]);
  const bills = (change: (file: string) => void) => () => [beside(".spdx.json"), beside(".cdx.json")].forEach(change);
  expect(await place(bills((file) => fs.rmSync(file)))).toEqual(["bill bill"]);
  expect(await place(bills((file) => rewrite(file, (text) => text.replaceAll(sha256(), "0".repeat(64)))))).toEqual([
    "bill bill",
  ]);
  for (const ending of [".spdx.json", ".cdx.json"])
    expect(await place(() => fs.rmSync(beside(`${ending}.sig`)))).toEqual([]); // The other one counts.
  const signatures = (change: (file: string) => void) => () => {
    for (const ending of [".spdx.json.sig", ".cdx.json.sig"]) change(beside(ending));
  };
  expect(await place(signatures((file) => fs.rmSync(file)))).toEqual(["bill bill"]);
  expect(await place(signatures((file) => fs.copyFileSync(beside(".sig"), file)))).toEqual(["bill bill"]);

  expect((await look("env:prod", policy({ builder: "urn:other" }))).broken).toEqual(["provenance builder"]);
  const strict = policy({ more: `, sources: ["pkg:deb/*"], config: ["${"0".repeat(64)}"]` });
  expect((await look("env:prod", strict)).broken).toEqual(["provenance config", "provenance source"]);
}, 60_000);

test("made from another commit, until whoever publishes says that it is the same from there", async () => {
  const head = commit(platform.remote("kernel"), "docs: more words");
  await release("v0.1.1");
  const { broken, links } = await look();
  expect(broken).toEqual(["provenance commit"]);
  expect(links.find(({ code }) => code === "commit")?.says).toContain(`expected ${head}`);

  git(kernel, "pull", "--quiet", "--ff-only", "origin", "main");
  fs.appendFileSync(path.join(kernel, "file"), "not committed\n");
  await publish(testSession(kernel), { names: [], dryRun: false });
  expect((await look()).broken).toEqual(["provenance commit"]);
  git(kernel, "checkout", "--quiet", "file");
  for (const _ of [1, 2]) await publish(testSession(kernel), { names: [], dryRun: false });
  expect((await look()).broken).toEqual([]);
  const lines = (ending: string) => fs.readFileSync(beside(ending), "utf8").trimEnd().split("\n").length;
  expect([lines(".intoto.jsonl"), lines(".older.intoto.jsonl")]).toEqual([1, 2]);
}, 60_000);
