/** Projects that publish kernels to a catalog in an object store, and one that takes them from there. */
import fs from "node:fs";
import path from "node:path";
import { expect } from "vitest";
import type { S3Server } from "../servers/ceph.ts";
import { type CliResult, documentOf, runCli } from "../support/cli.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

const ADDRESS = "s3://releases/team/kernels";

const buckets = ({ endpoint, region }: S3Server): string =>
  `buckets: { releases: { endpoint: "${endpoint}", region: ${region} } }`;

const vendorConfig = (server: S3Server): string => `
name: vendor
${buckets(server)}
kernels: { cloud: { from: debian, package: linux-image-cloud-amd64 } }
keys: { catalog: { file: ./keys/catalog } }
catalogs: { kernels: { url: "${ADDRESS}", keys: [./keys/catalog.pub] } }
publish:
  one: { bundle: cloud, name: generic, version: "1", to: "catalog:kernels" }
  two: { bundle: cloud, name: generic, version: "2", to: "catalog:kernels" }
`;

const userConfig = (server: S3Server): string => `
name: user
${buckets(server)}
catalogs: { kernels: { url: "${ADDRESS}", keys: [./catalog.pub] } }
kernel: { from: catalog, bundle: generic }
initramfs: { init: busybox }
image: { kind: kernel }
`;

/** Two publishers at once; then a user who has another store, and no copy. */
export async function publishAndPull(server: S3Server): Promise<void> {
  const outputs: CliResult[] = [];
  const home = temporaryDir();
  const cli = async (cwd: string, args: readonly string[], options: { store?: string } = {}): Promise<CliResult> => {
    const result = await runCli(args, {
      ...options,
      cwd,
      env: {
        ...{ AWS_ACCESS_KEY_ID: server.accessKey, AWS_SECRET_ACCESS_KEY: server.secretKey },
        BOOTWRIGHT_DATA: path.join(home, path.basename(cwd)),
      },
    });
    outputs.push(result);
    return result;
  };
  const vendor = writeProject(vendorConfig(server));
  const publish = (...args: string[]) => cli(vendor, ["kernel", "publish", ...args]);
  expect((await cli(vendor, ["keys", "init"])).exit).toBe(0);
  const planned = await publish("--dry-run");
  expect(planned.exit, planned.stderr).toBe(10);
  const both = await Promise.all([publish("one"), publish("two")]);
  for (const { exit, stderr } of both) expect(exit, stderr).toBe(0);

  const user = writeProject(userConfig(server), {
    "catalog.pub": fs.readFileSync(path.join(vendor, "keys/catalog.pub"), "utf8"),
  });
  const store = path.join(user, "store");
  const available = documentOf(await cli(user, ["kernel", "ls", "--available", "--json"], { store }));
  expect(available.kernels).toMatchObject([{ version: "2" }, { version: "1" }]);
  const built = await cli(user, ["build"], { store });
  expect(built.exit, built.stderr).toBe(0);
  expect(fs.readFileSync(path.join(user, "bootwright.lock"), "utf8")).toMatch(/"version":"2"/);

  for (const { stdout, stderr } of outputs) expect(stdout + stderr).not.toContain(server.secretKey);
  for (const dir of [vendor, user]) expect(filesWith(dir, server.secretKey)).toEqual([]);
}

/** Text files below a directory that have a text in them; blobs of the store included. */
function filesWith(dir: string, text: string): string[] {
  return fs
    .readdirSync(dir, { recursive: true, encoding: "utf8" })
    .filter((name) => fs.statSync(path.join(dir, name), { throwIfNoEntry: false })?.isFile())
    .filter((name) => fs.readFileSync(path.join(dir, name)).includes(text));
}
