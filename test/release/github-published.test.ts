/** What a project published as GitHub releases is released, promoted, pulled and verified as from any other place. The API is a fake. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { startGithubFake } from "../../src/publish/github.fake.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { temporaryDir } from "../support/test-session.ts";
import { attestingMaker, platformProject, promoteToProd } from "./platform-project.ts";

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
  expect((await ok("publish")).published).toMatchObject([{ known: true }]);
  const { places } = await ok("published", "github:o/r");
  expect(places).toMatchObject([
    { to: "github:o/r", serial: 1, files: [{ address, sha256, version: "0.1.0", moving: ["latest"] }] },
  ]);

  fs.writeFileSync(
    path.join(kernel, "policy.yaml"),
    `provenance: { keys: [keys/maker.crt], builder: "${BUILDER}", signature: true }\n`,
  );
  expect(await ok("verify", address, "--policy", "policy.yaml")).toMatchObject({
    digest: `sha256:${sha256}`,
    violations: [],
    statements: [{ builder: BUILDER }],
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
