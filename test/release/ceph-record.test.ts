/** The record in an object store: the whole way to prod and back, and commands that run at once. */
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type S3Server, startCeph } from "../servers/ceph.ts";
import { temporaryDir } from "../support/test-session.ts";
import { commit, git, type PlatformProject, platformProject } from "./platform-project.ts";

let server: S3Server;
let sdk: S3Client;

beforeAll(async () => {
  server = await startCeph(temporaryDir("bootwright-s3-"));
  const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = server;
  sdk = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  await sdk.send(new CreateBucketCommand({ Bucket: "releases" }));
}, 120_000);
afterAll(() => server?.stop());

const project = (prefix: string): Promise<PlatformProject> =>
  platformProject({
    record: `s3://releases/${prefix}`,
    more: `buckets: { releases: { endpoint: "${server.endpoint}", region: ${server.region} } }`,
    env: { AWS_ACCESS_KEY_ID: server.accessKey, AWS_SECRET_ACCESS_KEY: server.secretKey },
  });

test("to prod, a change, and back", async () => {
  const { json, cli, remote } = await project("one");
  const prod = async (version: string) => {
    await json("release", "new", version);
    await json("release", "tag", version);
    for (const name of ["test", "staging"]) await json("promote", name, version);
    await json("approve", "prod", version, "--key", "keys/approver");
    await json("promote", "prod", version);
  };
  await prod("v0.1.0");
  commit(remote("iso"), "feat: more");
  await prod("v0.1.1");
  await json("rollback", "prod");
  expect((await json("status")).environments.map((one: { release: string }) => one.release)).toEqual([
    ...["v0.1.1", "v0.1.1", "v0.1.0"],
  ]);
  expect(await json("release", "verify")).toMatchObject({ valid: true, serial: 11, git: { serial: 11 } });
  expect(git(remote("iso"), "tag").split("\n")).toEqual(["v0.1.0", "v0.1.1"]);

  await sdk.send(new DeleteObjectCommand({ Bucket: "releases", Key: "one/record/4" }));
  const { exit, stdout } = await cli("release", "verify", "--json");
  expect([exit, JSON.parse(stdout).findings]).toMatchObject([7, [{ kind: "gap", serial: 4 }]]);
  const bytes = git(remote("platform"), "show", "refs/bootwright/record:record/4");
  await sdk.send(new PutObjectCommand({ Bucket: "releases", Key: "one/record/4", Body: `${bytes}\n` }));
  expect(await json("release", "verify")).toMatchObject({ valid: true });
}, 240_000);

test("four promoters at once: each promotion is there once, in one chain, in both copies", async () => {
  const { json, cli, remote } = await project("two");
  await json("release", "new", "v0.1.0");
  await json("release", "new", "v0.2.0");
  const results = await Promise.all(
    ["v0.1.0", "v0.2.0", "v0.1.0", "v0.2.0"].map((version) => cli("promote", "test", version)),
  );
  for (const { exit, stderr } of results) if (exit !== 0) expect(stderr).toContain("promotion goes forward only");
  const { entries } = await json("history", "test");
  const releases = entries.map((one: { release: string }) => one.release);
  expect([["v0.1.0", "v0.2.0"], ["v0.2.0"]]).toContainEqual(releases);
  expect(await json("release", "verify")).toMatchObject({ valid: true, git: { serial: 2 + releases.length } });
  expect(git(remote("platform"), "log", "--format=%s", "refs/bootwright/record").split("\n")).toHaveLength(
    2 + releases.length,
  );
}, 240_000);
