import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { tempDir } from "../../test/support/temp-store.ts";
import { authFilePath, findCredentials, removeCredentials, storeCredentials } from "./auth-file.ts";

const HOST = "r.example.org";
const basic = (text: string) => ({ auth: Buffer.from(text).toString("base64") });

function environment(content: object | string): { env: Record<string, string>; file: string } {
  const home = tempDir();
  const file = path.join(home, ".docker/config.json");
  fs.mkdirSync(path.dirname(file));
  fs.writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
  return { env: { HOME: home }, file };
}

test("the file is that of REGISTRY_AUTH_FILE, of DOCKER_CONFIG, of the home", () => {
  expect(authFilePath({ REGISTRY_AUTH_FILE: "/a/auth.json", DOCKER_CONFIG: "/b", HOME: "/c" })).toBe("/a/auth.json");
  expect(authFilePath({ DOCKER_CONFIG: "/b", HOME: "/c" })).toBe("/b/config.json");
  expect(authFilePath({ HOME: "/c" })).toBe("/c/.docker/config.json");
});

test("the most special entry counts", async () => {
  const auths = {
    [HOST]: basic("host:p0"),
    [`${HOST}/team`]: basic("team:p1"),
    [`${HOST}/team/app`]: basic("app:p:2"),
    "https://old.example.org/v1/": basic("old:p3"),
    "token.example.org": { ...basic("<token>:x"), identitytoken: "refresh" },
    "plain.example.org": { username: "plain", password: "p4" },
    "empty.example.org": {},
  };
  const { env, file } = environment({ auths });
  const find = async (host: string, repository?: string) => {
    const found = await findCredentials({ host, repository }, { env });
    return found && `${found.username} ${found.secret}${found.isToken ? " (token)" : ""}`;
  };
  expect(await find(HOST)).toBe("host p0");
  expect(await find(HOST, "other")).toBe("host p0");
  expect(await find(HOST, "teams/app")).toBe("host p0");
  expect(await find(HOST, "team/x")).toBe("team p1");
  expect(await find(HOST, "team/app")).toBe("app p:2");
  expect(await find(HOST, "team/app/sub")).toBe("app p:2");
  expect(await find("old.example.org")).toBe("old p3");
  expect(await find("token.example.org")).toBe("<token> refresh (token)");
  expect(await find("plain.example.org")).toBe("plain p4");
  expect(await find("empty.example.org")).toBeUndefined();
  expect(await find("none.example.org")).toBeUndefined();
  expect((await findCredentials({ host: HOST }, { env }))?.from).toBe(file);
});

test.each([
  '{"auths": {"r.example.org": {"auth": "c2VjcmV0',
  '"secret"',
  "[1]",
  '{"auths": "secret"}',
  '{"auths":{"x":"secret"}}',
])("a damaged file is said, and not quoted: %s", async (text) => {
  const { env, file } = environment(text);
  const refused = findCredentials({ host: HOST }, { env });
  if (text === "[1]")
    await refused; // Has no entries, so nothing is known.
  else
    await expect(refused).rejects.toMatchObject({
      code: "FORMAT_INVALID",
      message: expect.not.stringMatching(/secret|c2Vj/),
    });
  expect(fs.readFileSync(file, "utf8")).toBe(text);
});

test("what is not ours stays, and the file is for its owner alone", async () => {
  const others = { "x.example.org": basic("x:y") };
  const { env, file } = environment({ auths: others, plugins: { a: "b" } });
  await storeCredentials(HOST, { username: "me", password: "pä:ss", env });
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  expect(await findCredentials({ host: HOST }, { env })).toMatchObject({ username: "me", secret: "pä:ss" });
  expect(await removeCredentials(HOST, { env })).toBe(true);
  expect(await removeCredentials(HOST, { env })).toBe(false);
  expect(JSON.parse(fs.readFileSync(file, "utf8"))).toEqual({ auths: others, plugins: { a: "b" } });
});
