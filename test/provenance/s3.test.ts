/** `verify s3://…`: the evidence lies beside the object; the one who verifies has no project. */
import fs from "node:fs";
import path from "node:path";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, expect, test } from "vitest";
import { type S3Server, startCeph } from "../servers/ceph.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { LOCAL_CONFIG, localProject } from "../support/local-project.ts";
import { temporaryDir } from "../support/test-session.ts";

let server: S3Server | undefined;
afterAll(() => server?.stop());

test("an object with its evidence holds, a changed one does not", async () => {
  server = await startCeph(temporaryDir("bootwright-s3-"));
  const { endpoint, region, accessKey, secretKey } = server;
  const sdk = new S3Client({
    ...{ endpoint, region, forcePathStyle: true },
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
  });
  await sdk.send(new CreateBucketCommand({ Bucket: "releases" }));
  const put = (Key: string, Body: Buffer) => sdk.send(new PutObjectCommand({ Bucket: "releases", Key, Body }));

  const dir = await localProject({
    "bootwright.yaml": `${LOCAL_CONFIG}keys: { release: { file: ./keys/release, type: rsa2048 } }\n`,
  });
  for (const words of [
    ["keys", "init"],
    ["provenance", "uki", "--key", "release"],
  ] as const)
    expect((await runCli(words, { cwd: dir })).exit).toBe(0);
  for (const ending of ["", ".sig", ".intoto.jsonl"])
    for (const name of ["good.efi", "bad.efi"]) {
      const bytes = fs.readFileSync(path.join(dir, `out/uki.efi${ending}`));
      await put(`team/${name}${ending}`, name === "bad.efi" && ending === "" ? bytes.subarray(1) : bytes);
    }

  const other = temporaryDir();
  fs.copyFileSync(path.join(dir, "keys/release.crt"), path.join(other, "release.crt"));
  fs.writeFileSync(path.join(other, "policy.yaml"), "provenance: { keys: [release.crt], signature: true }\n");
  const env = {
    ...{ AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey, AWS_ENDPOINT_URL_S3: endpoint },
    ...{ AWS_REGION: region, HOME: other },
  };
  const verify = async (name: string) => {
    const words = ["verify", `s3://releases/team/${name}`, "--policy", "policy.yaml", "--json"];
    const result = await runCli(words, { cwd: other, env });
    expect(result.stdout + result.stderr).not.toContain(secretKey);
    return { exit: result.exit, document: documentOf(result) };
  };
  expect(await verify("good.efi")).toMatchObject({ exit: 0, document: { signedBy: ["release.crt"], violations: [] } });
  expect(await verify("bad.efi")).toMatchObject({ exit: 7, document: { signedBy: [], statements: [] } });
  expect((await verify("none.efi")).document.error).toMatchObject({ code: "OBJECT_UNKNOWN" });
});
