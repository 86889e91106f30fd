/** From what runs in prod back to its sources, where record and artifacts lie in a registry. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import type { Link } from "../../src/verify/link.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { dockerRegistry } from "../support/registry.ts";
import { attestingMaker, platformProject, promoteToProd } from "./platform-project.ts";

const BUILDER = "https://ci.example.org/release";

test("verify env:prod over oci://, and what breaks it", async () => {
  const { host } = await dockerRegistry();
  const env = { no_proxy: "127.0.0.1" };
  const registries = `sources: { registries: { "${host}": { plainHttp: true } } }`;
  const platform = await platformProject({
    ...{ record: `oci://${host}/releases`, publishes: { kernel: `oci://${host}/kernel` } },
    ...{ more: registries, env },
  });
  const kernel = await attestingMaker(platform, {
    to: `oci://${host}/kernel`,
    builder: BUILDER,
    more: registries,
    env,
  });
  const user = { cwd: kernel, env };
  const published = await runCli(["publish", "--json"], user);
  expect(published.exit, published.stderr).toBe(0);
  const [{ digest }] = documentOf(published).published;

  await platform.json("release", "new", "v0.1.0");
  await promoteToProd(platform, "v0.1.0");

  for (const name of ["maker", "other"])
    fs.copyFileSync(path.join(kernel, `keys/${name}.crt`), path.join(platform.dir, `${name}.crt`));
  const look = async ({ builder = BUILDER, maker = "maker" } = {}) => {
    fs.writeFileSync(
      path.join(platform.dir, "policy.yaml"),
      `
environment: { keys: [keys/release.pub], approvals: 1, approvers: { approver: keys/approver.pub } }
provenance: { keys: [${maker}.crt], builder: "${builder}", signature: true }
`,
    );
    const result = await platform.cli("verify", "env:prod", "--policy", "policy.yaml", "--json");
    const links = documentOf(result).links as readonly Link[];
    const broken = links.filter(({ state }) => state === "broken").map(({ link, code }) => `${link} ${code}`);
    expect(result.exit, result.stderr).toBe(broken.length === 0 ? 0 : 7);
    return { links: links.map(({ link }) => link), broken };
  };
  expect(await look()).toEqual({
    links: ["record", "git", "pointer", "approvals", "release", "bytes", "signature", "provenance", "bill"],
    broken: [],
  });
  expect((await look({ builder: "urn:other" })).broken).toEqual(["provenance builder"]);
  expect((await look({ maker: "other" })).broken).toEqual([
    ...["signature artifact-signature", "provenance provenance", "bill bill"],
  ]);
  const offline = await platform.cli("verify", "env:prod", "--policy", "policy.yaml", "--offline");
  expect(offline.stderr).toContain("OFFLINE");

  // What was attached is taken away, then the artifact itself.
  const remove = async (reference: string) => {
    const head = await fetch(`http://${host}/v2/kernel/manifests/${reference}`, {
      method: "HEAD",
      headers: { accept: "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json" },
    });
    const found = head.headers.get("docker-content-digest");
    const gone = await fetch(`http://${host}/v2/kernel/manifests/${found}`, { method: "DELETE" });
    expect(gone.status).toBe(202);
  };
  const tags = documentOf(await runCli(["oci", "ls", `${host}/kernel`, "--plain-http", "--json"], user))
    .tags as string[];
  for (const tag of tags.filter((one) => one.startsWith(`sha256-${digest}`) && one.endsWith(".sig"))) await remove(tag);
  const unsigned = (await look()).broken;
  expect([[], ["signature artifact-signature"]]).toContainEqual(unsigned);
  await remove(`sha256:${digest}`);
  expect((await look()).broken).toEqual(["bytes bytes"]);
}, 240_000);
