/** Signatures in registries, with cosign on the other side: what we sign it verifies, and it refuses what is not signed. */
import { X509Certificate } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { RegistryServer } from "../servers/docker-registry.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { type Cosign, fetchCosign } from "../support/cosign.ts";
import { LOCAL_CONFIG, localProject } from "../support/local-project.ts";
import { dockerRegistry } from "../support/registry.ts";

const CONFIG = `${LOCAL_CONFIG}keys:
  release: { file: ./keys/release, type: p256 }
  other: { file: ./keys/other, type: rsa3072 }
`;

let server: RegistryServer;
let cosign: Cosign;
let dir: string;
beforeAll(async () => {
  server = await dockerRegistry();
  cosign = await fetchCosign();
  dir = await localProject({ "bootwright.yaml": CONFIG });
  await cli("keys", "init");
  for (const name of ["release", "other"]) {
    const { publicKey } = new X509Certificate(fs.readFileSync(path.join(dir, `keys/${name}.crt`)));
    fs.writeFileSync(path.join(dir, `${name}.pem`), publicKey.export({ type: "spki", format: "pem" }));
  }
});

async function cli(...words: string[]) {
  const result = await runCli([...words, "--json"], { cwd: dir, env: { HOME: dir, no_proxy: "127.0.0.1" } });
  const document = documentOf(result);
  expect(document, result.stderr).toMatchObject({ ok: true });
  return document;
}

const oci = (...words: string[]) => cli("oci", ...words, "--plain-http");
const verify = (ref: string, key: string, ...more: string[]) =>
  cosign(
    ...["verify", "--key", path.join(dir, `${key}.pem`), "--insecure-ignore-tlog", "--allow-http-registry"],
    ...[...more, ref],
  );
const verifyAttestation = (ref: string, key: string, type = "slsaprovenance1") =>
  cosign(
    ...["verify-attestation", "--key", path.join(dir, `${key}.pem`), "--insecure-ignore-tlog"],
    ...["--allow-http-registry", "--type", type, ref],
  );

test("cosign verifies our signatures, of both keys, and refuses before", async () => {
  const ref = `${server.host}/sign/uki:1`;
  const { digest } = await oci("push", "uki", ref);
  expect(() => verify(ref, "release")).toThrow(/no signatures found/);
  expect(await oci("sign", ref, "--key", "release")).toMatchObject({ digest, known: false });
  expect(JSON.parse(verify(ref, "release"))).toMatchObject([
    {
      critical: {
        image: { "docker-manifest-digest": digest },
        identity: { "docker-reference": `${server.host}/sign/uki` },
      },
    },
  ]);
  expect(() => verify(ref, "other")).toThrow(/no matching signatures/);
  await oci("sign", ref, "--key", "other");
  verify(ref, "release");
  verify(ref, "other");
  expect(await oci("sign", ref, "--key", "other")).toMatchObject({ known: true });
});

test("a signature is found as a referrer, too", async () => {
  const ref = `${server.host}/sign/referrers:1`;
  await oci("push", "uki", ref);
  await oci("sign", ref, "--key", "release");
  const { referrers } = await oci("inspect", ref);
  expect(referrers).toMatchObject([{ artifactType: "application/vnd.dev.cosign.artifact.sig.v1+json" }]);
  verify(ref, "release", "--experimental-oci11");
});

test("cosign verifies our statement, and a statement about something else is refused", async () => {
  const ref = `${server.host}/attest/uki:1`;
  await oci("push", "uki", ref);
  const { written } = await cli("provenance", "uki");
  const words = ["--statement", written[0].file, "--key", "release"];
  expect(await oci("attest", ref, ...words)).toMatchObject({ known: false });
  expect(await oci("attest", ref, ...words)).toMatchObject({ known: true });
  const [envelope] = verifyAttestation(ref, "release").trim().split("\n");
  const statement = JSON.parse(Buffer.from(JSON.parse(envelope!).payload, "base64").toString());
  expect(statement.predicate.runDetails.builder.id).toBe("urn:bootwright:builder:local");
  expect(() => verifyAttestation(ref, "other")).toThrow(/no matching attestations|invalid signature/);
  const motd = path.join(dir, "motd");
  await oci("push", "./motd", `${server.host}/attest/other:1`);
  expect(fs.existsSync(motd)).toBe(true);
  const refused = await runCli(["oci", "attest", `${server.host}/attest/other:1`, ...words, "--plain-http", "--json"], {
    cwd: dir,
  });
  expect(documentOf(refused).error).toMatchObject({ code: "DIGEST_MISMATCH" });
});

test("cosign reads the bills that we attach", async () => {
  const ref = `${server.host}/attest/bills:1`;
  await oci("push", "uki", ref);
  const { written } = await cli("provenance", "uki");
  for (const [kind, type] of [
    ["spdx", "spdxjson"],
    ["cyclonedx", "cyclonedx"],
  ] as const) {
    const file = written.find((one: { kind: string }) => one.kind === kind).file;
    expect(() => verifyAttestation(ref, "release", type)).toThrow();
    await oci("attest", ref, "--statement", file, "--key", "release");
    const envelopes = verifyAttestation(ref, "release", type).trim().split("\n");
    const { predicate } = JSON.parse(Buffer.from(JSON.parse(envelopes[0]!).payload, "base64").toString());
    expect(predicate).toEqual(JSON.parse(fs.readFileSync(file, "utf8")));
  }
});
