import fs from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import os from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadCredentials } from "./credentials.ts";
import { openBucket } from "./open-bucket.ts";

const signal = new AbortController().signal;

function home(files: Readonly<Record<string, string>>): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "bootwright-aws-"));
  onTestFinished(() => fs.rmSync(dir, { recursive: true }));
  fs.mkdirSync(path.join(dir, ".aws"));
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(dir, ".aws", name), text);
  return dir;
}

const CREDENTIALS = `# a comment
[default]
aws_access_key_id = FILE
aws_secret_access_key=file secret # and more
[work.eu]
aws_access_key_id = WORK
aws_secret_access_key = work secret
aws_session_token = token
`;
const CONFIG = `[default]
region = eu-west-1
[profile work.eu]
region = eu-north-1
endpoint_url = https://store.example.org
s3 =
  addressing_style = virtual
`;
const KEYS = { AWS_ACCESS_KEY_ID: "ENV", AWS_SECRET_ACCESS_KEY: "env secret" };

test.each([
  {
    what: "the environment",
    env: KEYS,
    found: { accessKey: "ENV", secretKey: "env secret", from: "AWS_ACCESS_KEY_ID" },
  },
  { what: "the default profile", env: {}, found: { accessKey: "FILE", secretKey: "file secret # and more" } },
  {
    what: "a profile that is named, before the environment",
    env: { ...KEYS, AWS_PROFILE: "work.eu" },
    found: { accessKey: "WORK", secretKey: "work secret", sessionToken: "token", from: "profile work.eu" },
  },
])("credentials come from $what", async ({ env, found }) => {
  const HOME = home({ credentials: CREDENTIALS, config: CONFIG });
  expect(await loadCredentials({ env: { HOME, ...env }, region: "r", signal })).toMatchObject(found);
});

test("nothing says who we are; half a pair; a profile that is not there", async () => {
  const HOME = home({});
  const load = (env: Record<string, string>) => loadCredentials({ env: { HOME, ...env }, region: "r", signal });
  expect(await load({})).toBeUndefined();
  await expect(load({ AWS_ACCESS_KEY_ID: "x" })).rejects.toMatchObject({
    code: "CREDENTIALS_INVALID",
    message: "AWS_ACCESS_KEY_ID has no secret key",
  });
  await expect(load({ AWS_PROFILE: "wrok" })).rejects.toMatchObject({ code: "CREDENTIALS_INVALID" });
});

test("a web identity's token is traded for a role's credentials, also by a profile", async () => {
  const asked: string[] = [];
  const server = http.createServer(async (request, response) => {
    asked.push((await request.toArray()).join(""));
    if (asked.at(-1)!.includes("stale")) {
      response.writeHead(400);
      return void response.end("<ErrorResponse><Error><Message>token expired</Message></Error></ErrorResponse>");
    }
    response.end(`<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>
      <AccessKeyId>ROLE</AccessKeyId><SecretAccessKey>role secret</SecretAccessKey><SessionToken>session</SessionToken>
      <Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const HOME = home({ token: "the token\n", stale: "stale", config: "" });
  const token = path.join(HOME, ".aws/token");
  const env = { HOME, AWS_WEB_IDENTITY_TOKEN_FILE: token, AWS_ROLE_ARN: "arn:role", AWS_ENDPOINT_URL_STS: endpoint };
  const role = { accessKey: "ROLE", sessionToken: "session", expires: Date.UTC(2030, 0, 1), from: "role arn:role" };
  expect(await loadCredentials({ env, region: "r", signal })).toMatchObject(role);
  expect(Object.fromEntries(new URLSearchParams(asked[0]))).toMatchObject({
    Action: "AssumeRoleWithWebIdentity",
    RoleArn: "arn:role",
    WebIdentityToken: "the token",
  });
  fs.writeFileSync(
    path.join(HOME, ".aws/config"),
    `[default]\nrole_arn = arn:role\nweb_identity_token_file = ${token}\n`,
  );
  const { AWS_ENDPOINT_URL_STS } = env;
  expect(await loadCredentials({ env: { HOME, AWS_ENDPOINT_URL_STS }, region: "r", signal })).toMatchObject(role);
  const stale = { ...env, AWS_WEB_IDENTITY_TOKEN_FILE: path.join(HOME, ".aws/stale") };
  await expect(loadCredentials({ env: stale, region: "r", signal })).rejects.toMatchObject({
    code: "CREDENTIALS_REFUSED",
    detail: "it says: token expired",
  });
});

test.each([
  { name: "plain", env: {}, url: "https://plain.s3.eu-west-1.amazonaws.com/k" },
  { name: "with.dots", env: {}, url: "https://s3.eu-west-1.amazonaws.com/with.dots/k" },
  { name: "plain", env: { AWS_PROFILE: "work.eu" }, url: "https://plain.store.example.org/k" },
  { name: "plain", env: { AWS_ENDPOINT_URL: "http://e:9000" }, url: "http://e:9000/plain/k" },
  {
    name: "plain",
    env: { AWS_ENDPOINT_URL: "http://e" },
    endpoint: "https://config.example.org",
    url: "https://config.example.org/plain/k",
  },
])("a bucket's address: $url", async ({ name, env, endpoint, url }) => {
  const HOME = home({ credentials: CREDENTIALS, config: CONFIG });
  const bucket = openBucket(name, {
    settings: endpoint === undefined ? undefined : { endpoint },
    ...{ projectDir: "/", env: { HOME, ...env }, emit: () => {}, signal },
  });
  expect((await bucket.presign("k", { seconds: 1 })).split("?")[0]).toBe(url);
});
