/**
 * Keys in a token, reached by PKCS #11: SoftHSM stands for the hardware. They are made in it and never leave it; what they sign
 * is checked by a program of others, and is the same whether it was signed in the project or from a request.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { findTool, HOST_TOOLS } from "../../src/base/host-tools.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { localProject } from "../support/local-project.ts";
import { needProgram } from "../support/need-program.ts";
import { temporaryDir } from "../support/test-session.ts";

const PIN = "84719362";
const KEYS = { db: "rsa:2048", ec: "EC:prime256v1" };

const dir = temporaryDir("bw-token-");
const env = { SOFTHSM2_CONF: path.join(dir, "softhsm2.conf") };
const uri = (object: string, pin = "pin") => `pkcs11:token=bw;object=${object}?pin-source=file:${path.join(dir, pin)}`;

let project = "";

const CONFIG = (key: keyof typeof KEYS, pin?: string) => `
name: token
kernel: { from: file, image: ./vmlinuz }
initramfs: { init: busybox, busybox: ./busybox }
keys: { ${key}: { file: ./keys/${key}, pkcs11: "${uri(key, pin)}" } }
images: { uki: { kind: uki, stub: ./stub, cmdline: console=ttyS0, sign: ${key} } }
`;

beforeAll(async () => {
  if (findTool("libp11") === undefined) throw new Error(`install ${HOST_TOOLS.libp11.package}`);
  const library = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/softhsm/libsofthsm2.so"].find((file) =>
    fs.existsSync(file),
  )!;
  fs.mkdirSync(path.join(dir, "tokens"));
  fs.writeFileSync(
    path.join(dir, "softhsm2.conf"),
    `directories.tokendir = ${dir}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`,
  );
  fs.writeFileSync(path.join(dir, "pin"), PIN);
  fs.writeFileSync(path.join(dir, "wrong"), "00000000");
  const quiet = { stdio: "pipe", env: { ...process.env, ...env } } as const;
  execFileSync(
    needProgram("softhsm2-util", "softhsm2"),
    ["--init-token", "--free", "--label", "bw", "--pin", PIN, "--so-pin", PIN],
    quiet,
  );
  project = await localProject({ "bootwright.yaml": CONFIG("db") });
  fs.mkdirSync(path.join(project, "keys"));
  for (const [i, [name, type]] of Object.entries(KEYS).entries()) {
    const made = [
      "--module",
      library,
      "--token-label",
      "bw",
      "--login",
      "--pin",
      PIN,
      "--keypairgen",
      "--key-type",
      type,
    ];
    execFileSync(needProgram("pkcs11-tool", "opensc"), [...made, "--id", `0${i + 1}`, "--label", name], quiet);
    const certificate = [
      "-days",
      "30",
      "-subj",
      `/CN=${name} in a token`,
      "-out",
      path.join(project, `keys/${name}.crt`),
    ];
    const words = [
      "req",
      "-x509",
      "-new",
      "-engine",
      "pkcs11",
      "-keyform",
      "engine",
      "-key",
      uri(name),
      ...certificate,
    ];
    execFileSync(needProgram("openssl", "openssl"), words, quiet);
  }
});

const sbverify = (key: string, file: string): string =>
  execFileSync(needProgram("sbverify", "sbsigntool"), ["--cert", path.join(project, `keys/${key}.crt`), file], {
    ...{ encoding: "utf8", stdio: "pipe" },
  });

test.each(Object.keys(KEYS) as (keyof typeof KEYS)[])("a build signs with the %s key in the token", async (key) => {
  fs.writeFileSync(path.join(project, "bootwright.yaml"), CONFIG(key));
  const built = await runCli(["build", "--json"], { cwd: project, env });
  expect(built.exit, built.stderr).toBe(0);
  expect(documentOf(built).unsigned).toEqual([]);
  expect(fs.readdirSync(path.join(project, "keys")).filter((name) => name.endsWith(".key"))).toEqual([]);
  // sbverify of Debian 12 knows RSA only; our own verification is checked against OpenSSL elsewhere.
  if (key === "db") expect(sbverify(key, path.join(project, "out/uki.efi"))).toContain("Signature verification OK");
  const policy = path.join(project, "policy.yaml");
  fs.writeFileSync(policy, `trust: [keys/${key}.crt]\n`);
  expect(await runCli(["verify", "./out/uki.efi", "--policy", policy], { cwd: project, env })).toMatchObject({
    exit: 0,
  });
});

test("a request is answered by the token with the same signature, to the last byte", async () => {
  fs.writeFileSync(path.join(project, "bootwright.yaml"), CONFIG("db"));
  expect(await runCli(["build"], { cwd: project, env })).toMatchObject({ exit: 0 });
  const here = fs.readFileSync(path.join(project, "out/uki.efi"));
  const elsewhere = temporaryDir();
  fs.cpSync(project, elsewhere, { recursive: true, filter: (name) => !name.includes("/out") });
  fs.writeFileSync(path.join(elsewhere, "bootwright.yaml"), CONFIG("db").replace(/, pkcs11: "[^"]*"/, ""));
  const ok = async (...words: string[]) => {
    const result = await runCli(words, { cwd: elsewhere, env });
    expect(result.exit, result.stderr).toBe(0);
    return result;
  };
  expect(documentOf(await ok("build", "--json")).unsigned).toMatchObject([{ what: "uki uki", key: "db" }]);
  await ok("sign", "out/signing-request", "--keys", "keys", "--pkcs11", uri("db"));
  await ok("attach", "out/signing-request");
  expect(fs.readFileSync(path.join(elsewhere, "out/uki.efi")).equals(here)).toBe(true);
});

test("another key of the token, a wrong PIN and a PIN in the config are refused, and no PIN is shown", async () => {
  const config = path.join(project, "bootwright.yaml");
  const build = async (text: string) => {
    fs.writeFileSync(config, text.replace("console=ttyS0", `console=ttyS0 try=${text.length}`));
    const result = await runCli(["build"], { cwd: project, env });
    expect(result.stderr).not.toMatch(new RegExp(`${PIN}|00000000`));
    return result;
  };
  expect(await build(CONFIG("db").replace("object=db", "object=ec"))).toMatchObject({
    exit: 7,
    stderr: expect.stringContaining("SIGNATURE_INVALID"),
  });
  expect(await build(CONFIG("db", "wrong"))).toMatchObject({ exit: 8, stderr: expect.stringMatching(/PIN|login/i) });
  expect(await build(CONFIG("db").replace(/pin-source=[^"]*/, `pin-value=${PIN}`))).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining("pin-source"),
  });
});
