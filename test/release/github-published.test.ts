/** What a project published as GitHub releases is released, promoted, pulled and verified as from any other place. The API is a fake. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { startGithubFake } from "../../src/publish/github.fake.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { temporaryDir } from "../support/test-session.ts";
import { attestingMaker, git, platformProject, promoteToProd } from "./platform-project.ts";

const TOKEN = "gh-token-of-this-test";
const BUILDER = "https://ci.example.org/release";
const NAME = "kernel-boot-0.1.0-x86_64.tar";

test("publish with statements, published, release new, promote, pull, verify", async () => {
  const fake = await startGithubFake({ token: TOKEN });
  const env = { GITHUB_API_URL: fake.api, GITHUB_TOKEN: TOKEN, no_proxy: "127.0.0.1" };
  const platform = await platformProject({ publishes: { kernel: "github:o/r" }, env });
  const { dir, json, refused } = platform;
  expect((await refused("release", "new", "v0.1.0")).message).toContain("kernel has published nothing");

  const kernel = await attestingMaker(platform, { image: "boot", to: "github:o/r", builder: BUILDER, env });
  const user = { cwd: kernel, store: temporaryDir(), env };
  const ok = async (...args: string[]) => {
    const result = await runCli([...args, "--json"], user);
    expect(result.exit, result.stderr).toBe(0);
    expect(result.stdout + result.stderr).not.toContain(TOKEN);
    return documentOf(result);
  };
  const [{ address, sha256 }] = (await ok("publish")).published;
  expect(address).toBe(`github:o/r@v0.1.0/${NAME}`);
  const names = () => fake.releases[0]!.assets.map(({ name }) => name);
  const first = names();
  expect((await ok("publish")).published).toMatchObject([{ known: true }]);
  expect(names()).toEqual(first);

  // The same bytes from a later commit: what is released is that commit, and a statement says so.
  const commit = () => git(kernel, "commit", "--quiet", "--allow-empty", "-m", "docs: nothing that is built");
  commit();
  git(kernel, "push", "--quiet", "origin", "HEAD:main");
  const dryRun = await runCli(["publish", "--dry-run"], user);
  expect([dryRun.exit, names()]).toEqual([0, first]);
  for (let again = 0; again < 2; again++)
    expect((await ok("publish")).published).toMatchObject([{ known: true, sha256 }]);
  const [added = "", ...others] = names().filter((name) => !first.includes(name));
  expect(added.replace(/[0-9a-f]{12}/, "HEX")).toBe(`${NAME}.HEX.intoto.jsonl`);
  expect(others).toEqual([]);

  fs.writeFileSync(
    path.join(kernel, "policy.yaml"),
    `provenance: { keys: [keys/maker.crt], builder: "${BUILDER}", signature: true }\n`,
  );
  expect(await ok("verify", address, "--policy", "policy.yaml")).toMatchObject({
    digest: `sha256:${sha256}`,
    violations: [],
    statements: [NAME, added].map((name) => ({ builder: BUILDER, where: expect.stringContaining(name) })),
  });
  const offline = await runCli(["verify", address, "--policy", "policy.yaml", "--offline"], user);
  expect(offline.stderr).toContain("OFFLINE");

  const { release } = await json("release", "new", "v0.1.0");
  expect(release.artifacts).toMatchObject([{ name: "boot", file: NAME, sha256, address }]);
  await promoteToProd(platform, "v0.1.0");
  const pulled = await json("pull", "boot", "--env", "prod");
  expect(createHash("sha256").update(fs.readFileSync(pulled.artifacts[0].path)).digest("hex")).toBe(sha256);
  expect((await ok("published")).places[0].files).toMatchObject([{ keptBy: [] }]);

  fs.copyFileSync(path.join(kernel, "keys/maker.crt"), path.join(dir, "maker.crt"));
  fs.writeFileSync(
    path.join(dir, "policy.yaml"),
    `
environment: { keys: [keys/release.pub], approvals: 1, approvers: { approver: keys/approver.pub } }
provenance: { keys: [maker.crt], builder: "${BUILDER}", signature: true }
`,
  );
  const looked = await json("verify", "env:prod", "--policy", "policy.yaml");
  expect(looked).toMatchObject({ holds: true, release: "v0.1.0" });
  expect(looked.links.map(({ link }: { link: string }) => link).slice(-4)).toEqual([
    ...["bytes", "signature", "provenance", "bill"],
  ]);
  expect(looked.links.at(-2)).toMatchObject({ state: "holds" });
  const statement = fake.releases[0]!.assets.pop()!;
  const unsaid = await platform.cli("verify", "env:prod", "--policy", "policy.yaml", "--json");
  expect([unsaid.exit, documentOf(unsaid).links.filter(({ code }: { code: string | null }) => code !== null)]).toEqual([
    7,
    [expect.objectContaining({ link: "provenance", code: "commit" })],
  ]);

  // GitHub may forbid that anything is added: then it is said.
  fake.isImmutable = true;
  const immutable = await runCli(["publish"], user);
  expect([immutable.exit, immutable.stderr]).toEqual([0, expect.stringContaining("the release is immutable")]);
  fake.isImmutable = false;
  fake.releases[0]!.assets.push(statement);

  // What lies there is not believed, and what was taken away is missed.
  const [{ assets }] = fake.releases as [(typeof fake.releases)[number]];
  const asset = assets.find(({ name }) => name === NAME)!;
  const before = asset.bytes;
  asset.bytes = Buffer.from(before).fill("x", before.length - 1);
  const damaged = await runCli(["pull", "boot", "--env", "prod", "--json"], { cwd: dir, store: temporaryDir(), env });
  expect([damaged.exit, documentOf(damaged).error.code]).toEqual([7, "DIGEST_MISMATCH"]);
  asset.bytes = before;
  fake.releases[0]!.assets = assets.filter(({ name }) => name !== NAME);
  const gone = await platform.cli("verify", "env:prod", "--policy", "policy.yaml", "--json");
  expect([gone.exit, documentOf(gone).links.at(-1)]).toEqual([7, expect.objectContaining({ code: "bytes" })]);
  await fake.stop();
}, 240_000);
