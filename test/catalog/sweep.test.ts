/** `publish --sweep` of catalogs: in a directory, and in a registry. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { openTestTarget } from "../publish/test-place.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { dockerRegistry } from "../support/registry.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

const config = (url: string, more = "") => `
name: vendor
kernels: { cloud: { from: debian, package: linux-image-cloud-amd64 } }
keys: { catalog: { file: ./keys/catalog } }
catalogs: { kernels: { url: "${url}", keys: [./keys/catalog.pub] } }
publish: { cloud: { bundle: cloud, name: generic-6.1, version: "1", to: "catalog:kernels" } }
${more}`;

async function project(url: string, more?: string) {
  const dir = writeProject(config(url, more));
  const home = temporaryDir();
  const cli = (...args: string[]) => runCli(args, { cwd: dir, env: { BOOTWRIGHT_DATA: home } });
  expect((await cli("keys", "init")).exit).toBe(0);
  return { dir, cli };
}

test("a bundle that no index names is set aside, and goes a day later", async () => {
  const { dir, cli } = await project("./catalog");
  const left = path.join(dir, "catalog/bundles", `${"0".repeat(64)}.tar.zst`);
  fs.mkdirSync(path.dirname(left), { recursive: true });
  fs.writeFileSync(left, "left over");
  expect((await cli("publish", "--sweep", "--dry-run")).exit).toBe(0);
  fs.utimesSync(left, 1, 1);
  const found = await cli("publish", "--sweep", "cloud", "--dry-run");
  expect([found.exit, found.stdout]).toEqual([
    10,
    `would set aside bundles/${"0".repeat(64)}.tar.zst (9 B) at catalog:kernels\n`,
  ]);
  expect(fs.existsSync(left)).toBe(true);
  expect(documentOf(await cli("publish", "--sweep", "--json"))).toMatchObject({
    ...{ ok: true, published: [], kernels: [], dryRun: false },
    swept: [{ action: "set aside", size: 9, to: "catalog:kernels" }],
  });
  const [aside = ""] = fs.readdirSync(path.join(dir, "catalog/.swept"));
  fs.utimesSync(path.join(dir, "catalog/.swept", aside), 1, 1);
  expect((await cli("publish", "--sweep")).stdout).toBe(`removed .swept/${aside} (9 B) at catalog:kernels\n`);
  expect((await cli("publish", "--sweep")).stderr).toContain("nothing is left over");
});

test("of a registry its claims; of an address that can only be read nothing", async () => {
  const { host } = await dockerRegistry();
  const repository = "swept/catalog";
  await openTestTarget({ type: "registry", host, repository }).documents.create("index/1", Buffer.from("x"));
  const { cli } = await project(
    `oci://${host}/${repository}`,
    `sources: { registries: { "${host}": { plainHttp: true } } }`,
  );
  const swept = await cli("publish", "--sweep");
  expect(swept.stdout).toMatch(/^removed claim-index-1-[0-9a-f]{16} at catalog:kernels\n$/);
  expect(swept.stderr).not.toContain("set aside");
  const read = await project("https://kernels.example.org/catalog");
  const refused = await read.cli("publish", "--sweep");
  expect([refused.exit, refused.stderr]).toEqual([3, expect.stringContaining("is an address to read only")]);
}, 120_000);
