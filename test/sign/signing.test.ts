/** Signing as people do it: the project on one machine, the keys on another. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { type CliResult, documentOf, runCli } from "../support/cli.ts";
import { localProject } from "../support/local-project.ts";
import { needProgram } from "../support/need-program.ts";
import { temporaryDir } from "../support/test-session.ts";

const CONFIG = `
name: host
version: "1.0"
kernel: { from: file, image: ./vmlinuz }
initramfs: { init: busybox, busybox: ./busybox, files: { /etc/motd: { file: ./motd } } }
keys: { pk: { file: ./keys/pk }, kek: { file: ./keys/kek }, db: { file: ./keys/db } }
images:
  uki: { kind: uki, stub: ./stub, cmdline: console=ttyS0 quiet, sign: db }
  esp: { kind: esp, contains: [uki] }
`;

let project = "";
const vault = temporaryDir();
const cli = (cwd: string, ...args: string[]): Promise<CliResult> => runCli(args, { cwd });
const ok = async (cwd: string, ...args: string[]): Promise<CliResult> => {
  const result = await cli(cwd, ...args);
  expect(result.exit, result.stderr).toBe(0);
  return result;
};
const request = () => path.join(project, "out/signing-request");

beforeAll(async () => {
  project = await localProject({ "bootwright.yaml": CONFIG });
  await ok(project, "keys", "init");
  // From here on the secrets are elsewhere.
  for (const name of fs.readdirSync(path.join(project, "keys"))) {
    if (!/\.(key|crt)$/.test(name)) continue;
    fs.copyFileSync(path.join(project, "keys", name), path.join(vault, name));
    if (name.endsWith(".key")) fs.rmSync(path.join(project, "keys", name));
  }
  for (const name of fs.readdirSync(vault)) if (name.endsWith(".key")) fs.chmodSync(path.join(vault, name), 0o600);
});

test("a build without the keys leaves an unsigned image and a request; the answers make it a signed one", async () => {
  const unsigned = documentOf(await ok(project, "build", "--json"));
  expect(unsigned.unsigned).toMatchObject([{ what: "uki uki", key: "db" }]);
  const uki = path.join(project, "out/uki.efi");
  const sbverify = (file: string) =>
    execFileSync(needProgram("sbverify", "sbsigntool"), ["--cert", path.join(project, "keys/db.crt"), file], {
      encoding: "utf8",
      stdio: "pipe",
    });
  expect(() => sbverify(uki)).toThrow();

  expect(await cli(project, "attach", "out/signing-request")).toMatchObject({ exit: 2 });
  const carried = path.join(temporaryDir(), "request");
  fs.cpSync(request(), carried, { recursive: true });
  const shown = await cli(vault, "sign", carried, "--keys", ".", "--dry-run");
  expect(shown).toMatchObject({
    exit: 10,
    stdout: expect.stringMatching(/would sign uki uki of host 1\.0\n.*\n.*cmdline: console=ttyS0 quiet/),
  });
  expect(fs.existsSync(path.join(carried, "signatures"))).toBe(false);
  await ok(vault, "sign", carried, "--keys", ".");
  const attached = documentOf(await ok(project, "attach", carried, "--json"));
  expect(attached).toMatchObject({ attached: ["uki uki"], unsigned: [] });
  expect(sbverify(uki)).toContain("Signature verification OK");
  expect(fs.existsSync(request())).toBe(false);

  // The signature is part of the project now: whoever builds the same bytes has them signed.
  const elsewhere = temporaryDir();
  fs.cpSync(project, elsewhere, { recursive: true, filter: (name) => !name.includes("/out") });
  const again = documentOf(await runCli(["build", "--json"], { cwd: elsewhere, store: temporaryDir() }));
  expect(again.images.map((one: { digest: string }) => one.digest)).toEqual(
    attached.images.map((one: { digest: string }) => one.digest),
  );
});

test("another command line wants another signature, and packs nothing anew but the image", async () => {
  const config = path.join(project, "bootwright.yaml");
  fs.writeFileSync(config, CONFIG.replace("ttyS0 quiet, sign", "ttyS0 debug, sign"));
  const result = documentOf(await ok(project, "build", "uki", "--json"));
  expect(result).toMatchObject({ ran: 2, unsigned: [{ what: "uki uki" }] });
  fs.writeFileSync(config, CONFIG);
  expect(documentOf(await ok(project, "build", "uki", "--json")).unsigned).toEqual([]);
});

test("what was tampered with on its way is refused, and nothing of it is taken", async () => {
  const config = path.join(project, "bootwright.yaml");
  fs.writeFileSync(config, CONFIG.replace("ttyS0 quiet, sign", "ttyS0 loglevel=3, sign"));
  await ok(project, "build", "uki");
  const carried = path.join(temporaryDir(), "request");
  fs.cpSync(request(), carried, { recursive: true });
  const before = fs.readdirSync(path.join(project, "signatures"));

  await ok(vault, "sign", carried, "--keys", ".");
  const [name] = fs.readdirSync(path.join(carried, "signatures"));
  const file = path.join(carried, "signatures", name!);
  const bytes = fs.readFileSync(file);
  bytes[bytes.length - 20]! ^= 1;
  fs.writeFileSync(file, bytes);
  expect(await cli(project, "attach", carried)).toMatchObject({
    exit: 7,
    stderr: expect.stringContaining("SIGNATURE_INVALID"),
  });

  const strangers = temporaryDir();
  const other = await localProject({ "bootwright.yaml": CONFIG });
  await ok(other, "keys", "init", "db");
  for (const one of ["db.key", "db.crt"]) fs.copyFileSync(path.join(other, "keys", one), path.join(strangers, one));
  fs.chmodSync(path.join(strangers, "db.key"), 0o600);
  expect(await cli(strangers, "sign", carried, "--keys", ".")).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining("holds none of the keys that are asked for"),
  });
  expect(fs.readdirSync(path.join(project, "signatures"))).toEqual(before);
  fs.writeFileSync(config, CONFIG);
});

test("with the keys here a build signs by itself, to the same bytes", async () => {
  const digest = documentOf(await ok(project, "build", "uki", "--json")).images[0].digest;
  const here = temporaryDir();
  fs.cpSync(project, here, { recursive: true, filter: (name) => !/\/(out|signatures)$/.test(name) });
  fs.copyFileSync(path.join(vault, "db.key"), path.join(here, "keys/db.key"));
  fs.chmodSync(path.join(here, "keys/db.key"), 0o600);
  expect(documentOf(await ok(here, "build", "uki", "--json")).images[0].digest).toBe(digest);
});

test("neither output nor store holds anything of a secret key", async () => {
  const here = temporaryDir();
  const store = temporaryDir();
  fs.cpSync(project, here, { recursive: true, filter: (name) => !/\/(out|signatures)$/.test(name) });
  for (const name of ["db.key"]) fs.copyFileSync(path.join(vault, name), path.join(here, "keys", name));
  fs.chmodSync(path.join(here, "keys/db.key"), 0o600);
  const result = await runCli(["build", "--debug"], { cwd: here, store });
  expect(result.exit, result.stderr).toBe(0);
  const secret = fs.readFileSync(path.join(vault, "db.key"), "utf8").split("\n")[3]!;
  expect(secret.length).toBe(64);
  expect(result.stdout + result.stderr).not.toContain(secret);
  for (const dir of [store, path.join(here, "out")])
    expect(execFileSync("sh", ["-c", 'grep -rlaF "$1" "$2" || true', "sh", secret, dir], { encoding: "utf8" })).toBe(
      "",
    );
});

test("a certificate that is not there is said before anything is built", async () => {
  const bare = await localProject({ "bootwright.yaml": CONFIG });
  expect(await cli(bare, "build", "uki")).toMatchObject({ exit: 2, stderr: expect.stringContaining("db.crt") });
});
