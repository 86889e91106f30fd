/** What is published says who made it: beside a file, and attached in a registry. Whoever gets it checks that with the public key alone. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { documentOf, runCli } from "../support/cli.ts";
import { fetchCosign } from "../support/cosign.ts";
import { publicKeyFile } from "../support/public-key.ts";
import { dockerRegistry } from "../support/registry.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

const BUILDER = "https://ci.example.org/release";

interface Options {
  readonly to: string;
  readonly more?: string;
  /** Further publications. */
  readonly also?: string;
}

const config = (version: string, { to, more = "", also = "" }: Options): string => `
name: tiny
version: "${version}"
trees: { root: { from: [{ dir: ./root }] } }
images: { root: { kind: tar, tree: root, compress: none } }
keys: { release: { file: ./keys/release, type: p256 }, other: { file: ./keys/other, type: p256 } }
publish: { root: { image: root, to: "${to}", keep: 1, attest: { key: release, builder: "${BUILDER}" } }${also} }
${more}
`;

function vendor(options: Options) {
  const dir = writeProject(config("0.1.0", options), {
    "root/hello": "hello\n",
    "policy.yaml": `provenance: { keys: [keys/release.crt], builder: "${BUILDER}", signature: true }\n`,
  });
  const store = temporaryDir();
  const ok = async (...args: string[]) => {
    const result = await runCli([...args, "--json"], { cwd: dir, store, env: { HOME: dir, no_proxy: "127.0.0.1" } });
    expect(result.exit, result.stderr).toBe(0);
    return documentOf(result);
  };
  return { dir, ok, set: (version: string) => writeProject(config(version, options), { "root/hello": version }, dir) };
}

test("beside a file: added once, added when a publisher left it out, taken away with the file", async () => {
  const { dir, ok, set } = vendor({ to: "./published" });
  await ok("keys", "init");
  await ok("publish");
  const names = ["", ".cdx.json", ".cdx.json.sig", ".intoto.jsonl", ".sig", ".spdx.json", ".spdx.json.sig"];
  const published = (version: string) =>
    fs
      .readdirSync(path.join(dir, "published"))
      .filter((name) => name.startsWith(`tiny-root-${version}`))
      .sort();
  const file = "published/tiny-root-0.1.0-x86_64.tar";
  const named = (ending: string) => `tiny-root-0.1.0-x86_64.tar${ending}`;
  expect(published("0.1.0")).toEqual(names.map((ending) => `tiny-root-0.1.0-x86_64.tar${ending}`));
  expect(await ok("verify", file, "--policy", "policy.yaml", "--offline")).toMatchObject({
    violations: [],
    passedOver: [],
    statements: [{ builder: BUILDER }],
    bills: [".spdx.json", ".cdx.json"].map((ending) => ({ signedBy: ["keys/release.crt"], where: named(ending) })),
  });

  // A bill that was changed, or is signed by nobody, does not count; whoever publishes again mends it.
  const bill = path.join(dir, `${file}.spdx.json`);
  const before = fs.readFileSync(bill, "utf8");
  fs.writeFileSync(bill, before.replace("SPDX-2.3", "SPDX-2.2"));
  fs.rmSync(path.join(dir, `${file}.cdx.json.sig`));
  expect(await ok("verify", file, "--policy", "policy.yaml", "--offline")).toMatchObject({
    bills: [],
    passedOver: [
      { where: named(".spdx.json"), code: "SIGNATURE_INVALID" },
      { where: named(".cdx.json"), message: "it is not signed" },
    ],
  });
  await ok("publish");
  expect(fs.readFileSync(bill, "utf8")).toBe(before);
  expect(await ok("verify", file, "--policy", "policy.yaml", "--offline")).toMatchObject({ passedOver: [] });

  const signature = fs.readFileSync(path.join(dir, `${file}.sig`));
  fs.rmSync(path.join(dir, `${file}.intoto.jsonl`));
  expect((await ok("publish")).published).toMatchObject([{ known: true }]);
  expect(fs.readFileSync(path.join(dir, `${file}.sig`)).equals(signature)).toBe(true);
  await ok("verify", file, "--policy", "policy.yaml", "--offline");

  set("0.2.0");
  expect((await ok("publish")).retired).toMatchObject([{ name: "tiny-root-0.1.0-x86_64.tar", removed: true }]);
  expect(published("0.1.0")).toEqual([]);
  expect(published("0.2.0")).toHaveLength(names.length);
});

test("one image, published by two builders to two places", async () => {
  const other = "https://other.example.org";
  const also = `, again: { image: root, to: "./again", attest: { key: release, builder: "${other}" } }`;
  const { dir, ok } = vendor({ to: "./published", also });
  await ok("keys", "init");
  await ok("publish");
  for (const [place, builder] of [
    ["published", BUILDER],
    ["again", other],
  ]) {
    const policy = path.join(dir, "policy.yaml");
    fs.writeFileSync(policy, `provenance: { keys: [keys/release.crt], builder: "${builder}", signature: true }\n`);
    const file = `${place}/tiny-root-0.1.0-x86_64.tar`;
    const found = await ok("verify", file, "--policy", "policy.yaml", "--offline");
    expect(found).toMatchObject({ violations: [], statements: [{ builder }] });
    expect(found.bills).toHaveLength(2);
  }
});

test("beside a file: cosign checks the newest of several statements, and bills as files", async () => {
  const { dir, ok } = vendor({ to: "./published" });
  await ok("keys", "init");
  await ok("publish");
  const file = path.join(dir, "published/tiny-root-0.1.0-x86_64.tar");
  const [cosign, key] = [await fetchCosign(), publicKeyFile(path.join(dir, "keys/release.crt"))];
  const check = () => {
    const options = ["--key", key, "--insecure-ignore-tlog", "--signature"];
    cosign("verify-blob-attestation", ...options, `${file}.intoto.jsonl`, "--type", "slsaprovenance1", file);
    cosign("verify-blob", ...options, `${file}.sig`, file);
    for (const bill of [`${file}.spdx.json`, `${file}.cdx.json`])
      cosign("verify-blob", ...options, `${bill}.sig`, bill);
  };
  check();
  const config = path.join(dir, "bootwright.yaml");
  const builders = ["https://other.example.org", "https://third.example.org"];
  for (const builder of builders) {
    fs.writeFileSync(config, fs.readFileSync(config, "utf8").replace(/builder: "[^"]*"/, `builder: "${builder}"`));
    await ok("publish");
    check();
  }
  await ok("publish");
  const found = await ok("verify", file, "--policy", "policy.yaml", "--offline");
  expect(found.statements.map(({ builder }: { builder: string }) => builder)).toEqual([
    ...[...builders].reverse(),
    BUILDER,
  ]);
  expect(found).toMatchObject({ violations: [], passedOver: [] });
});

test("in a registry: attached to what was published, as cosign reads it", async () => {
  const { host } = await dockerRegistry();
  const { dir, ok } = vendor({
    to: `oci://${host}/team/root`,
    more: `sources: { registries: { "${host}": { plainHttp: true } } }`,
  });
  await ok("keys", "init");
  const [{ address }] = (await ok("publish")).published;
  const verified = await ok("verify", address, "--policy", "policy.yaml", "--plain-http");
  expect(verified).toMatchObject({ violations: [], passedOver: [], statements: [{ builder: BUILDER }] });
  expect(verified.bills).toHaveLength(2);
  expect((await ok("publish")).published).toMatchObject([{ known: true, address }]);

  const [cosign, key] = [await fetchCosign(), publicKeyFile(path.join(dir, "keys/release.crt"))];
  const options = ["--key", key, "--insecure-ignore-tlog", "--allow-http-registry"];
  const reference = address.slice("oci://".length);
  cosign("verify", ...options, reference);
  for (const type of ["slsaprovenance1", "spdxjson", "cyclonedx"])
    cosign("verify-attestation", ...options, "--type", type, reference);

  // A copy takes them along, through a tar, to where somebody else has signed, too.
  const tar = path.join(dir, "carried.tar");
  const copied = await ok("oci", "copy", reference, `oci-archive:${tar}:0.1.0`, "--referrers", "--plain-http");
  expect(copied.attached).toBeGreaterThanOrEqual(2);
  const there = `${host}/other/root`;
  await ok("oci", "copy", `oci-archive:${tar}:0.1.0`, `${there}:0.1.0`, "--plain-http");
  expect(() => cosign("verify", ...options, `${there}:0.1.0`)).toThrow();
  await ok("oci", "sign", `${there}:0.1.0`, "--key", "other", "--plain-http");
  await ok("oci", "copy", `oci-archive:${tar}:0.1.0`, `${there}:0.1.0`, "--referrers", "--plain-http");
  cosign("verify", ...options, `${there}:0.1.0`);
  for (const type of ["slsaprovenance1", "spdxjson", "cyclonedx"])
    cosign("verify-attestation", ...options, "--type", type, `${there}:0.1.0`);
  fs.writeFileSync(
    path.join(dir, "other.yaml"),
    "provenance: { keys: [keys/other.crt], statement: false, signature: true }\n",
  );
  for (const policy of ["policy.yaml", "other.yaml"])
    await ok("verify", `oci://${there}:0.1.0`, "--policy", policy, "--plain-http");
});
