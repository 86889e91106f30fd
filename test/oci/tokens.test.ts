/** Who may do what: a registry with passwords, one with tokens. What is refused is explained, and no secret is ever said. */

import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { RegistryServer } from "../servers/docker-registry.ts";
import { documentOf, PROGRAM } from "../support/cli.ts";
import { needProgram } from "../support/need-program.ts";
import { dockerRegistry } from "../support/registry.ts";
import { sharedStore, temporaryDir } from "../support/test-session.ts";
import { type TokenServer, tokenServer } from "../support/token-server.ts";

const SECRET = "correct-horse-battery";
// "user" with that password, as `htpasswd -B` writes it.
const HTPASSWD = "user:$2b$05$LqmOF7bx9J4dwIPlx2C9Temup2W4BwaY9VMqiwB6qtmssk2bOK26K\n";

interface Told {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs with a home of its own, all that can be said being said; no secret may be in it. */
async function oci(
  home: string,
  words: readonly string[],
  options: { stdin?: string; env?: object } = {},
): Promise<Told> {
  const child = spawn(process.execPath, [PROGRAM, "oci", ...words, "--plain-http", "--debug", "--progress=json"], {
    cwd: home,
    env: {
      ...{
        PATH: `${home}/bin:${process.env.PATH}`,
        HOME: home,
        BOOTWRIGHT_STORE: sharedStore(),
        no_proxy: "127.0.0.1",
      },
      ...options.env,
    },
  });
  const told = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      told[name] += text;
    });
  child.stdin.end(options.stdin ?? "");
  const exit = await new Promise<number | null>((resolve) => child.once("close", resolve));
  for (const secret of [SECRET, Buffer.from(`user:${SECRET}`).toString("base64"), "eyJ", "WRONG-PASSWORD"])
    expect(told.stdout + told.stderr).not.toContain(secret);
  return { exit, ...told };
}

function makeHome(): string {
  const home = temporaryDir();
  fs.writeFileSync(path.join(home, "f"), "file\n");
  return home;
}

const authFile = (home: string) => path.join(home, ".docker/config.json");
const writeAuth = (home: string, content: object, file = authFile(home)) => {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, JSON.stringify(content));
};
const basic = Buffer.from(`user:${SECRET}`).toString("base64");

describe("a registry with passwords", () => {
  let server: RegistryServer;
  beforeAll(async () => {
    server = await dockerRegistry({ htpasswd: HTPASSWD });
  });
  const push = (home: string, env: object = {}) => oci(home, ["push", "./f", `${server.host}/p/f:1`], { env });

  test("wants a login, takes it from stdin, keeps it, forgets it", async () => {
    const home = makeHome();
    const before = await push(home);
    expect(before.exit).toBe(5);
    expect(before.stderr).toMatch(/LOGIN_NEEDED .*you are not logged in to 127/);
    expect(before.stderr).toContain(`bootwright oci login ${server.host}`);
    const login = ["login", server.host, "--username", "user"];
    const noWay = await oci(home, login);
    expect(noWay).toMatchObject({ exit: 2, stderr: expect.stringContaining("--password-stdin") });
    const wrong = await oci(home, [...login, "--password-stdin"], { stdin: "WRONG-PASSWORD\n" });
    expect(wrong).toMatchObject({ exit: 5, stderr: expect.stringContaining("LOGIN_REFUSED") });
    expect(fs.existsSync(authFile(home))).toBe(false);
    writeAuth(home, { auths: { "other.example.org": { auth: "eDp5" } }, psFormat: "kept" });
    fs.chmodSync(authFile(home), 0o600);
    const right = await oci(home, [...login, "--password-stdin", "--json"], { stdin: `${SECRET}\n` });
    expect(documentOf(right)).toMatchObject({ ok: true, username: "user", kept: authFile(home) });
    expect(JSON.parse(fs.readFileSync(authFile(home), "utf8"))).toEqual({
      auths: { "other.example.org": { auth: "eDp5" }, [server.host]: { auth: basic } },
      psFormat: "kept",
    });
    expect(fs.statSync(authFile(home)).mode & 0o777).toBe(0o600);
    expect((await push(home)).exit).toBe(0);
    expect((await oci(home, ["logout", server.host])).stdout).toContain("logged out");
    expect(fs.readFileSync(authFile(home), "utf8")).not.toContain(server.host);
    expect((await push(home)).exit).toBe(5);
  });

  test("is asked for on a terminal, which does not show it", async () => {
    const home = makeHome();
    const words = ["oci", "login", server.host, "--username", "user", "--plain-http"];
    const command = [process.execPath, PROGRAM, ...words].map((word) => `'${word}'`).join(" ");
    const child = spawn(needProgram("script", "bsdutils"), ["-qec", command, "/dev/null"], {
      cwd: home,
      env: {
        PATH: process.env.PATH,
        HOME: home,
        BOOTWRIGHT_STORE: sharedStore(),
        no_proxy: "127.0.0.1",
        TERM: "xterm",
      },
    });
    let shown = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      if (!shown.includes("Password of") && (shown + text).includes("Password of"))
        child.stdin.write(`${SECRET}x\u007f\r`); // One key too many, taken back.
      shown += text;
    });
    expect(await new Promise((resolve) => child.once("close", resolve)), shown).toBe(0);
    child.stdin.destroy();
    expect(shown).toContain(`Password of user at ${server.host}: `);
    expect(shown).not.toContain("horse");
    expect(JSON.parse(fs.readFileSync(authFile(home), "utf8"))).toEqual({ auths: { [server.host]: { auth: basic } } });
  });

  test("finds them in REGISTRY_AUTH_FILE, by helper, and says where a wrong one came from", async () => {
    const home = makeHome();
    const file = path.join(home, "auth.json");
    writeAuth(home, { auths: { [server.host]: { auth: basic } } }, file);
    expect((await push(home, { REGISTRY_AUTH_FILE: file })).exit).toBe(0);
    const bad = Buffer.from("user:WRONG-PASSWORD").toString("base64");
    writeAuth(home, { auths: { [server.host]: { auth: bad } } });
    const refused = await push(home);
    expect(refused.exit).toBe(5);
    expect(refused.stderr).toMatch(/REGISTRY_DENIED .*"user\\?" \(from .*config\.json\)/);

    // A helper that keeps secrets in a file of its own.
    const kept = path.join(home, "kept");
    fs.mkdirSync(path.join(home, "bin"));
    fs.writeFileSync(
      path.join(home, "bin/docker-credential-tests"),
      `#!/bin/sh
case "$1" in
get) read -r host; [ -f "${kept}" ] || { echo "credentials not found in native keychain"; exit 1; }; cat "${kept}" ;;
store) cat >"${kept}" ;;
erase) rm "${kept}" ;;
esac
`,
      { mode: 0o755 },
    );
    writeAuth(home, { credHelpers: { [server.host]: "tests" } });
    expect((await push(home)).stderr).toContain("LOGIN_NEEDED");
    const login = ["login", server.host, "--username", "user", "--password-stdin"];
    expect((await oci(home, login, { stdin: SECRET })).exit).toBe(0);
    expect(JSON.parse(fs.readFileSync(kept, "utf8"))).toEqual({
      ServerURL: server.host,
      Username: "user",
      Secret: SECRET,
    });
    expect(fs.readFileSync(authFile(home), "utf8")).not.toContain(basic);
    expect((await push(home)).exit).toBe(0);
    expect((await oci(home, ["logout", server.host])).exit).toBe(0);
    expect(fs.existsSync(kept)).toBe(false);
    writeAuth(home, { credsStore: "nowhere" });
    expect((await push(home)).stderr).toMatch(/docker-credential-nowhere is not installed/);
  });
});

describe("a registry with tokens", () => {
  let server: RegistryServer;
  let tokens: TokenServer;
  const asUser = (name: string): string => {
    const home = makeHome();
    writeAuth(home, { auths: { [server.host]: { auth: Buffer.from(`${name}:${SECRET}`).toString("base64") } } });
    return home;
  };
  beforeAll(async () => {
    tokens = await tokenServer(
      {
        owner: { password: SECRET, rights: { "*": ["pull", "push", "delete"] } },
        reader: { password: SECRET, rights: { "team/open": ["pull"] } },
      },
      { "team/open": ["pull"] },
    );
    server = await dockerRegistry({ token: tokens.auth });
  });

  test("gives one for what is asked, and says what another lacks", async () => {
    const [owner, reader] = [asUser("owner"), asUser("reader")];
    for (const name of ["team/open", "team/closed"])
      expect((await oci(owner, ["push", "./f", `${server.host}/${name}:1`])).exit).toBe(0);
    tokens.asked.splice(0);
    expect((await oci(owner, ["tag", `${server.host}/team/open:1`, "2"])).exit).toBe(0);
    expect(tokens.asked).toEqual([["repository:team/open:pull"], ["repository:team/open:pull,push"]]);

    const lacks = await oci(reader, ["push", "./f", `${server.host}/team/open:3`]);
    expect(lacks.exit).toBe(5);
    expect(lacks.stderr).toMatch(
      /REGISTRY_DENIED .*"reader\\?" .*allows only to pull in team\/open; needed: pull and push/,
    );
    const none = await oci(reader, ["pull", `${server.host}/team/closed:1`, "--to", "x"]);
    expect(none.stderr).toMatch(/REGISTRY_DENIED .*allows nothing in team\/closed/);

    const nobody = makeHome();
    expect((await oci(nobody, ["pull", `${server.host}/team/open:1`, "--to", "x"])).exit).toBe(0);
    const secret = await oci(nobody, ["pull", `${server.host}/team/closed:1`, "--to", "y"]);
    expect(secret.stderr).toMatch(/LOGIN_NEEDED .*team\/closed is private there or does not exist/);

    writeAuth(nobody, { auths: { [server.host]: { auth: Buffer.from("owner:WRONG-PASSWORD").toString("base64") } } });
    const wrong = await oci(nobody, ["pull", `${server.host}/team/open:1`]);
    expect(wrong.stderr).toMatch(/LOGIN_REFUSED .*does not take the password of .*owner/);
    // A refresh token, as `docker login` keeps it where the service gives one.
    const refreshing = (secret: string) =>
      writeAuth(nobody, { auths: { [server.host]: { identitytoken: `owner:${secret}` } } });
    refreshing(SECRET);
    expect((await oci(nobody, ["pull", `${server.host}/team/closed:1`, "--to", "z"])).exit).toBe(0);
    refreshing("WRONG-PASSWORD");
    const expired = await oci(nobody, ["pull", `${server.host}/team/closed:1`]);
    expect(expired.stderr).toMatch(/LOGIN_REFUSED .*does not take the password of the login/);
    // Mounting asks for both repositories at once.
    tokens.asked.splice(0);
    const copied = await oci(owner, ["copy", `${server.host}/team/open:1`, `${server.host}/team/new:1`, "--json"]);
    expect(documentOf(copied)).toMatchObject({ sent: 0 });
    expect(tokens.asked).toContainEqual(["repository:team/new:pull,push", "repository:team/open:pull"]);
  });
});
