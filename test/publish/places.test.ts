/** A project publishes to a registry, to an object store and as a GitHub release; other programs read what it published. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startGithubFake } from "../../src/publish/github.fake.ts";
import { type S3Server, startCeph } from "../servers/ceph.ts";
import { type CliResult, documentOf, runCli } from "../support/cli.ts";
import { laterProgram } from "../support/later-program.ts";
import { needProgram } from "../support/need-program.ts";
import { dockerRegistry } from "../support/registry.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

const config = (
  version: string,
  { to, more = "", also = "" }: { to: string; more?: string; also?: string },
): string => `
name: tiny
version: "${version}"
trees: { root: { from: [{ dir: ./root }] } }
images: { root: { kind: tar, tree: root, compress: none } }
publish: { root: { image: root, to: "${to}"${more} } }
${also}
`;

interface Vendor {
  readonly set: (version: string, hello: string) => void;
  readonly cli: (...args: string[]) => Promise<CliResult>;
  readonly ok: (...args: string[]) => ReturnType<typeof documentOf>;
}

function vendor(
  options: { to: string; more?: string; also?: string },
  env: Readonly<Record<string, string>> = {},
): Vendor {
  const dir = writeProject(config("0.1.0", options), { "root/hello": "0.1.0\n" });
  const store = temporaryDir();
  const cli = (...args: string[]) =>
    runCli(args, { cwd: dir, store, env: { HOME: dir, no_proxy: "127.0.0.1", ...env } });
  return {
    set: (version, hello) => writeProject(config(version, options), { "root/hello": hello }, dir),
    cli,
    ok: async (...args) => {
      const result = await cli(...args, "--json");
      if (result.exit !== 0) throw new Error(result.stderr);
      return documentOf(result);
    },
  };
}

test("a registry: tags and digests, read by oras and skopeo; a tag that means other bytes is refused", async () => {
  const { host } = await dockerRegistry();
  const { set, cli, ok } = vendor({
    to: `oci://${host}/team/root`,
    more: ", keep: 2",
    also: `sources: { registries: { "${host}": { plainHttp: true } } }`,
  });
  expect((await cli("publish", "--dry-run")).exit).toBe(10);
  const [first] = (await ok("publish")).published;
  expect(first).toMatchObject({ known: false, address: `oci://${host}/team/root@sha256:${first.digest}` });
  expect(await ok("publish")).toMatchObject({ published: [{ known: true, digest: first.digest }] });
  set("0.2.0", "0.2.0\n");
  const [second] = (await ok("publish")).published;

  const oras = await laterProgram("oras");
  const pulled = temporaryDir();
  const pull = (reference: string) => {
    execFileSync(oras, ["pull", "--plain-http", reference], {
      ...{ cwd: pulled, stdio: "pipe", env: { HOME: pulled, NO_PROXY: "127.0.0.1" } },
    });
  };
  pull(`${host}/team/root:latest`);
  pull(`${host}/team/root@sha256:${first.digest}`);
  expect(fs.readdirSync(pulled).sort()).toEqual(["tiny-root-0.1.0-x86_64.tar", "tiny-root-0.2.0-x86_64.tar"]);
  expect(execFileSync("sha256sum", [path.join(pulled, second.name)], { encoding: "utf8" })).toContain(second.sha256);
  const skopeo = (tag: string) =>
    JSON.parse(
      execFileSync(
        needProgram("skopeo", "skopeo"),
        ["inspect", "--raw", "--tls-verify=false", `docker://${host}/team/root:${tag}`],
        { encoding: "utf8" },
      ),
    );
  for (const tag of ["v0.1.0", `sha256-${first.sha256}`])
    expect(skopeo(tag)).toMatchObject({
      artifactType: "application/vnd.bootwright.tar.v1",
      annotations: { "org.opencontainers.image.version": "0.1.0" },
      layers: [{ digest: `sha256:${first.sha256}`, size: first.size }],
    });

  set("0.1.0", "other\n");
  const refused = await cli("publish");
  expect(refused.exit).toBe(2);
  expect(refused.stderr).toMatch(/EXISTS.*v0\.1\.0.*0\.1\.1/s);

  set("0.3.0", "0.3.0\n");
  expect(await ok("publish")).toMatchObject({ retired: [{ name: "tiny-root-0.1.0-x86_64.tar", removed: true }] });
  expect(() => skopeo("v0.1.0")).toThrow();
  expect(skopeo("latest")).toEqual(skopeo("v0.3.0"));
});

test("a registry: the same file under a further version", async () => {
  const { host } = await dockerRegistry();
  const { set, ok } = vendor({
    to: `oci://${host}/team/root`,
    also: `sources: { registries: { "${host}": { plainHttp: true } } }`,
  });
  const [first] = (await ok("publish")).published;
  set("0.2.0", "0.1.0\n");
  const [second] = (await ok("publish")).published;
  expect(second).toMatchObject({ known: false, sha256: first.sha256, immutable: ["v0.2.0"] });
  expect(second.digest).not.toBe(first.digest);
  expect(await ok("publish")).toMatchObject({ published: [{ known: true, digest: second.digest }] });
  const digests = [];
  for (const tag of ["v0.1.0", `sha256-${first.sha256}`, "v0.2.0", "latest"])
    digests.push(
      (await ok("oci", "inspect", `${host}/team/root:${tag}`, "--plain-http")).digest.slice("sha256:".length),
    );
  expect(digests).toEqual([first.digest, first.digest, second.digest, second.digest]);
});

test("claims that nobody holds any more are swept out of a registry; names stay", async () => {
  const { host } = await dockerRegistry();
  const { ok, cli } = vendor({
    to: `oci://${host}/team/root`,
    also: `sources: { registries: { "${host}": { plainHttp: true } } }`,
  });
  expect(await ok("publish", "--sweep")).toMatchObject({ swept: [] });
  await ok("publish");
  // Of a publisher at work, of one that died, and what only looks like a claim.
  const file = path.join(temporaryDir(), "empty");
  fs.writeFileSync(file, "{}");
  const [live, dead, foreign] = ["a", "b", "c"].map((one) => `claim-published-9-${one.repeat(16)}`);
  for (const [tag, time] of [
    [live, Date.now()],
    [dead, Date.now() - 2 * 86_400_000],
    [foreign, undefined],
  ] as const) {
    const claimed = time === undefined ? [] : ["--annotation", `org.bootwright.claimed=${time}`];
    await ok("oci", "push", file, `${host}/team/root:${tag}`, "--plain-http", ...claimed);
  }
  const tags = async () => (await ok("oci", "ls", `${host}/team/root`, "--plain-http")).tags as readonly string[];
  const claims = (await tags()).filter((tag) => tag.startsWith("claim-") && tag !== live && tag !== foreign);
  expect(claims).toContain(dead);
  expect(claims.length).toBeGreaterThan(1);
  const names = (await tags()).filter((tag) => !claims.includes(tag));
  expect((await cli("publish", "--sweep", "--dry-run")).exit).toBe(10);
  expect((await ok("publish", "--sweep")).swept.map(({ path }: { path: string }) => path)).toEqual(claims);
  expect(await tags()).toEqual(names);
  expect(await ok("publish")).toMatchObject({ published: [{ known: true }] });
});

test("a registry that removes nothing says so, and lists it no longer", async () => {
  const { host } = await dockerRegistry({ extra: { storage: { inmemory: {}, delete: { enabled: false } } } });
  const { set, ok } = vendor({
    to: `oci://${host}/team/root`,
    more: ", keep: 1",
    also: `sources: { registries: { "${host}": { plainHttp: true } } }`,
  });
  await ok("publish");
  set("0.2.0", "0.2.0\n");
  expect(await ok("publish")).toMatchObject({ retired: [{ name: "tiny-root-0.1.0-x86_64.tar", removed: false }] });
  expect(await ok("publish")).toMatchObject({ published: [{ known: true }], retired: [] });
});

let ceph: S3Server;
afterAll(() => ceph?.stop());
beforeAll(async () => {
  ceph = await startCeph(temporaryDir("bootwright-s3-"));
}, 120_000);

test("an object store: files and lists that the AWS SDK reads; the secret key is said nowhere", async () => {
  const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = ceph;
  const sdk = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  await sdk.send(new CreateBucketCommand({ Bucket: "releases" }));
  const { set, cli, ok } = vendor(
    {
      to: "s3://releases/tiny",
      more: ', keep: 1, name: "root-{version}.tar", index: [SHA256SUMS, index.html, kernels.json]',
      also: `buckets: { releases: { endpoint: "${endpoint}", region: ${region} } }`,
    },
    { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
  );
  expect((await cli("publish", "--dry-run")).exit).toBe(10);
  await ok("publish");
  set("0.2.0", "0.2.0\n");
  const { published, retired } = await ok("publish");
  expect(retired).toMatchObject([{ name: "root-0.1.0.tar", removed: true }]);
  const listed = await sdk.send(new ListObjectsV2Command({ Bucket: "releases", Prefix: "tiny/" }));
  expect(listed.Contents!.map(({ Key }) => Key!.slice("tiny/".length)).sort()).toEqual(
    [
      ...["SHA256SUMS", "index.html", "kernels.json", "published/1", "published/2", "published/current"],
      ...["root-0.2.0.tar", "root-latest.tar", `files/sha256-${published[0].sha256}.root-0.2.0.tar`],
    ].sort(),
  );
  const read = async (name: string) =>
    (await sdk.send(new GetObjectCommand({ Bucket: "releases", Key: `tiny/${name}` }))).Body!.transformToString();
  expect(await read("SHA256SUMS")).toBe(`${published[0].sha256}  root-0.2.0.tar\n`);
  expect(await read("root-latest.tar")).toBe(await read("root-0.2.0.tar"));
  const outputs = [await cli("publish"), await cli("publish", "--json", "--debug")];
  for (const { stdout, stderr } of outputs) expect(stdout + stderr).not.toContain(secretAccessKey);
});

test("a GitHub release; the token is said nowhere", async () => {
  const token = "gh-token-of-this-test";
  const fake = await startGithubFake({ token });
  try {
    const env = { GITHUB_API_URL: fake.api, GITHUB_TOKEN: token };
    const { set, cli } = vendor({ to: "github:o/r" }, env);
    const results = [await cli("publish", "--dry-run"), await cli("publish"), await cli("publish", "--json")];
    expect(results.map(({ exit }) => exit)).toEqual([10, 0, 0]);
    expect(fake.releases).toMatchObject([{ tag: "v0.1.0", draft: false, latest: true }]);
    expect(fake.releases[0]!.assets.map(({ name }) => name)).toEqual([
      ...["tiny-root-0.1.0-x86_64.tar", "SHA256SUMS", "published.json"],
    ]);
    // A draft of somebody who died, of one at work, and of people.
    const draft = { draft: true, latest: false, published: "", assets: [], created: "2026-01-01T00:00:00Z" };
    const body = fake.releases[0]!.body;
    fake.releases.push(
      { ...draft, id: 91, tag: "v0.0.1", body },
      { ...draft, id: 92, tag: "v0.0.2", body, created: new Date().toISOString() },
      { ...draft, id: 93, tag: "v0.0.3", body: "What is new" },
    );
    // Statements that were added in part.
    const half = { name: "x.0123456789ab.intoto.jsonl", bytes: Buffer.of(), state: "starter" as const };
    fake.releases[0]!.assets.push({ ...half, id: 94, created: "2026-01-01T00:00:00Z" }, { ...half, id: 95 });
    const sweeps = [await cli("publish", "--sweep", "--dry-run"), await cli("publish", "--sweep")];
    expect(sweeps.map(({ exit }) => exit)).toEqual([10, 0]);
    expect(sweeps[1]!.stdout).toBe(
      "removed draft of v0.0.1 at github:o/r\nremoved half of v0.1.0/x.0123456789ab.intoto.jsonl at github:o/r\n",
    );
    expect(fake.releases[0]!.assets.map(({ id }) => id)).not.toContain(94);
    expect(fake.releases[0]!.assets.map(({ id }) => id)).toContain(95);
    expect(fake.releases.map(({ tag }) => tag)).toEqual(["v0.1.0", "v0.0.2", "v0.0.3"]);
    results.push(...sweeps);
    set("0.1.0", "other\n");
    const refused = await cli("publish");
    expect(refused.stderr).toMatch(/EXISTS.*v0\.1\.1/s);
    const wrong = vendor({ to: "github:o/r" }, { ...env, GITHUB_TOKEN: `${token}-wrong` });
    wrong.set("0.2.0", "0.2.0\n");
    results.push(refused, await wrong.cli("publish"));
    expect(results.at(-1)!.stderr).toContain("LOGIN_NEEDED");
    for (const { stdout, stderr } of results) expect(stdout + stderr).not.toContain(token);
  } finally {
    await fake.stop();
  }
});
