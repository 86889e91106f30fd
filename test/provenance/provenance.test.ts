/** What an image says of itself, on a project that needs no mirror; and cosign as the judge of its signatures. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { documentOf, runCli } from "../support/cli.ts";
import { type Cosign, fetchCosign } from "../support/cosign.ts";
import { LOCAL_CONFIG, localProject } from "../support/local-project.ts";
import { publicKeyFile } from "../support/public-key.ts";
import { temporaryDir } from "../support/test-session.ts";

const CONFIG = LOCAL_CONFIG.replace("name: local", 'name: local\nversion: "1.2"\nepoch: 1700000000');
const SIGNED = `${CONFIG}keys: { release: { file: ./keys/release, type: p256 } }\n`;

let cosign: Cosign;
beforeAll(async () => {
  cosign = await fetchCosign();
});

const statementOf = (file: string) => JSON.parse(fs.readFileSync(file, "utf8"));

async function cli(cwd: string, ...words: string[]) {
  const result = await runCli([...words, "--json"], { cwd });
  const document = documentOf(result);
  expect(document, result.stderr).toMatchObject({ ok: true });
  return document;
}

test("the statement names image, config and all that went in", async () => {
  const dir = await localProject({ "bootwright.yaml": CONFIG });
  const { digest, written } = await cli(dir, "provenance", "uki");
  expect(written.map((one: { kind: string }) => one.kind)).toEqual(["slsa", "spdx", "cyclonedx"]);
  expect(written[0].file).toBe(path.join(dir, "out/uki.efi.intoto.json"));
  const { subject, predicateType, predicate } = statementOf(written[0].file);
  expect(subject).toEqual([{ name: "uki.efi", digest: { sha256: digest.slice("sha256:".length) } }]);
  expect(predicateType).toBe("https://slsa.dev/provenance/v1");
  const { buildDefinition, runDetails } = predicate;
  expect(buildDefinition.externalParameters).toMatchObject({ project: "local", projectVersion: "1.2", image: "uki" });
  expect(buildDefinition.externalParameters.config).toMatchObject([{ name: "bootwright.yaml" }]);
  expect(buildDefinition.internalParameters).toEqual({ sourceDateEpoch: 1700000000 });
  const names = buildDefinition.resolvedDependencies.map((one: { name: string }) => one.name);
  expect(names).toEqual(["busybox", "motd", "overlay", "stub", "vmlinuz"]);
  expect(runDetails.builder.id).toBe("urn:bootwright:builder:local");
});

test("the same build says the same elsewhere, and nothing of this machine", async () => {
  const a = await localProject({ "bootwright.yaml": CONFIG });
  const b = await localProject({ "bootwright.yaml": CONFIG }, path.join(temporaryDir(), "another place"));
  const [one, two] = [await cli(a, "provenance", "uki"), await cli(b, "provenance", "uki")];
  for (const [i, { file, digest }] of one.written.entries()) {
    expect(two.written[i].digest).toBe(digest);
    const text = fs.readFileSync(file, "utf8");
    for (const word of [a, b, os.tmpdir(), os.homedir()]) expect(text).not.toContain(word);
  }
  fs.appendFileSync(path.join(b, "motd"), "changed\n");
  expect((await cli(b, "provenance", "uki")).written[0].digest).not.toBe(one.written[0].digest);
});

test("cosign accepts file signature and attestation, and refuses them for another file", async () => {
  const dir = await localProject({ "bootwright.yaml": SIGNED });
  await cli(dir, "keys", "init");
  const { file } = await cli(dir, "provenance", "uki", "--key", "release");
  const key = publicKeyFile(path.join(dir, "keys/release.crt"));
  const blob = (target: string) =>
    cosign("verify-blob", "--key", key, "--insecure-ignore-tlog", "--signature", `${file}.sig`, target);
  const attestation = (target: string) =>
    cosign(
      ...["verify-blob-attestation", "--key", key, "--insecure-ignore-tlog", "--type", "slsaprovenance1"],
      ...["--signature", `${file}.intoto.jsonl`, target],
    );
  blob(file);
  attestation(file);
  const other = path.join(dir, "other");
  fs.writeFileSync(other, "another file");
  expect(() => blob(other)).toThrow(/invalid signature/);
  expect(() => attestation(other)).toThrow(/digest|subject/);
});
