/** `verify` by a policy about who made an artifact: in a registry, in a layout and as a file without network; of cosign's making, too. */
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { RegistryServer } from "../servers/docker-registry.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { type Cosign, fetchCosign } from "../support/cosign.ts";
import { LOCAL_CONFIG, localProject } from "../support/local-project.ts";
import { dockerRegistry } from "../support/registry.ts";

const CONFIG = `${LOCAL_CONFIG}  base: { kind: oci, tree: base }
trees: { base: { files: { /etc/motd: hello } } }
keys:
  release: { file: ./keys/release, type: p256 }
  other: { file: ./keys/other, type: ed25519 }
`;

let server: RegistryServer;
let cosign: Cosign;
let dir: string;
beforeAll(async () => {
  server = await dockerRegistry();
  cosign = await fetchCosign();
  dir = await localProject({
    "bootwright.yaml": CONFIG,
    "policy.yaml": "provenance: { keys: [keys/release.crt], builder: urn:bootwright:builder:local, signature: true }\n",
    "strict.yaml": "provenance: { keys: [keys/release.crt], sources: ['pkg:deb/*'] }\n",
    "cosign.yaml": "provenance: { keys: [cosign.pub], statement: false, signature: true }\n",
    "cosign-statement.yaml": "provenance: { keys: [cosign.pub], builder: urn:bootwright:builder:local }\n",
  });
  await cli(0, "keys", "init");
});

async function cli(exit: number, ...words: string[]) {
  const result = await runCli([...words, "--json"], { cwd: dir, env: { HOME: dir, no_proxy: "127.0.0.1" } });
  expect(result.exit, result.stdout + result.stderr).toBe(exit);
  return documentOf(result);
}

const rulesOf = ({ violations }: { violations: { rule: string }[] }) => violations.map(({ rule }) => rule);

test("a file, offline: what is signed holds, what is changed does not", async () => {
  const { file } = await cli(0, "provenance", "uki", "--key", "release");
  const held = await cli(0, "verify", file, "--policy", "policy.yaml", "--offline");
  expect(held).toMatchObject({
    violations: [],
    passedOver: [],
    signedBy: ["keys/release.crt"],
    statements: [{ builder: "urn:bootwright:builder:local", signedBy: ["keys/release.crt"] }],
  });
  const strict = await cli(7, "verify", file, "--policy", "strict.yaml");
  expect(new Set(rulesOf(strict))).toEqual(new Set(["source"]));
  const changed = path.join(dir, "changed.efi");
  fs.writeFileSync(changed, Buffer.concat([fs.readFileSync(file), Buffer.of(0)]));
  for (const ending of [".sig", ".intoto.jsonl"]) fs.copyFileSync(file + ending, changed + ending);
  const refused = await cli(7, "verify", changed, "--policy", "policy.yaml");
  expect(rulesOf(refused)).toEqual(["provenance", "artifact-signature"]);
  expect(refused.passedOver.map(({ code }: { code: string }) => code)).toEqual([
    "DIGEST_MISMATCH",
    "SIGNATURE_INVALID",
  ]);
});

test("both policies at once: the firmware's and the maker's", async () => {
  const { file } = await cli(0, "provenance", "uki", "--key", "release");
  fs.writeFileSync(
    path.join(dir, "both.yaml"),
    "trust: [keys/release.crt]\nprovenance: { keys: [keys/release.crt], builder: [urn:example:ci] }\n",
  );
  expect(rulesOf(await cli(7, "verify", file, "--policy", "both.yaml"))).toEqual(["signature", "builder"]);
});

test("a policy about nothing is refused with its place", async () => {
  fs.writeFileSync(path.join(dir, "empty.yaml"), "minimum: { version: '1' }\n");
  const { error } = await cli(2, "verify", "./motd", "--policy", "empty.yaml");
  expect(error).toMatchObject({ code: "CONFIG_INVALID", message: expect.stringContaining("provenance") });
});

test("in a registry, and in a layout without one", async () => {
  const ref = `${server.host}/verify/base:1`;
  const { written } = await cli(0, "provenance", "base");
  for (const [place, ...more] of [[ref, "--plain-http"], ["oci:./out/copied"]] as const) {
    await cli(0, "oci", "copy", "./out/base", place === ref ? ref : "oci:./out/copied:1", ...more);
    const verify = (exit: number) =>
      cli(exit, "verify", place === ref ? `oci://${ref}` : place, "--policy", "policy.yaml", ...more);
    expect(rulesOf(await verify(7))).toEqual(["provenance", "artifact-signature"]);
    await cli(0, "oci", "attest", place, "--statement", written[0].file, "--key", "release", ...more);
    await cli(0, "oci", "sign", place, "--key", "other", ...more);
    expect(rulesOf(await verify(7))).toEqual(["artifact-signature"]);
    await cli(0, "oci", "sign", place, "--key", "release", ...more);
    expect(await verify(0)).toMatchObject({ statements: [{ signedBy: ["keys/release.crt"] }] });
  }
  expect(await cli(0, "verify", "./out/copied", "--policy", "policy.yaml", "--offline")).toMatchObject({
    violations: [],
  });
});

test("what cosign signed and attested holds", async () => {
  const ref = `${server.host}/verify/cosign:1`;
  const { digest } = await cli(0, "oci", "push", "uki", ref, "--plain-http");
  const named = `${server.host}/verify/cosign@${digest}`;
  cosign("generate-key-pair", "--output-key-prefix", path.join(dir, "cosign"));
  const key = ["--key", path.join(dir, "cosign.key"), "--tlog-upload=false", "--allow-http-registry", "--yes"];
  const verify = (exit: number, policy: string) =>
    cli(exit, "verify", `oci://${ref}`, "--policy", policy, "--plain-http");
  await verify(7, "cosign.yaml");
  cosign("sign", ...key, named);
  expect(await verify(0, "cosign.yaml")).toMatchObject({ signedBy: ["cosign.pub"] });
  const { written } = await cli(0, "provenance", "uki");
  const predicate = path.join(dir, "predicate.json");
  fs.writeFileSync(predicate, JSON.stringify(JSON.parse(fs.readFileSync(written[0].file, "utf8")).predicate));
  cosign("attest", ...key, "--type", "slsaprovenance1", "--predicate", predicate, named);
  expect(await verify(0, "cosign-statement.yaml")).toMatchObject({
    statements: [{ builder: "urn:bootwright:builder:local", signedBy: ["cosign.pub"] }],
  });
});

test("no secret of a key is in statement, output or log", async () => {
  const secret = fs.readFileSync(path.join(dir, "keys/release.key"), "utf8").split("\n")[1]!;
  const result = await runCli(["provenance", "uki", "--key", "release", "--progress=json", "--debug"], { cwd: dir });
  expect(result.exit).toBe(0);
  const files = fs.readdirSync(path.join(dir, "out")).filter((name) => /\.(json|jsonl|sig)$/.test(name));
  expect(files).toContain("uki.efi.intoto.jsonl");
  const texts = files.map((name) => fs.readFileSync(path.join(dir, "out", name), "utf8"));
  for (const text of [...texts, result.stdout, result.stderr]) expect(text).not.toContain(secret);
});
