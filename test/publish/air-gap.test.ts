/** A catalog leaves one place as a file and comes to three others; a project inside builds from it. */
import fs from "node:fs";
import path from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { startCeph } from "../servers/ceph.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { dockerRegistry } from "../support/registry.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

test("export, import, build, and on from there", async () => {
  const ceph = await startCeph(temporaryDir("bootwright-s3-"));
  try {
    const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = ceph;
    const sdk = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
    await sdk.send(new CreateBucketCommand({ Bucket: "releases" }));
    const { host } = await dockerRegistry();
    const home = temporaryDir();
    const cli = (cwd: string, ...args: string[]) =>
      runCli(args, {
        cwd,
        env: {
          ...{ HOME: home, no_proxy: "127.0.0.1", BOOTWRIGHT_DATA: path.join(home, path.basename(cwd)) },
          ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
        },
      });
    const ok = async (cwd: string, ...args: string[]) => {
      const result = await cli(cwd, ...args, "--json");
      if (result.exit !== 0) throw new Error(result.stderr);
      return documentOf(result);
    };
    const where = `
buckets: { releases: { endpoint: "${endpoint}", region: ${region} } }
sources: { registries: { "${host}": { plainHttp: true } } }
catalogs:
  bucket: { url: "s3://releases/kernels", keys: [./keys/catalog.pub] }
  registry: { url: "oci://${host}/kernels", keys: [./keys/catalog.pub] }
  directory: { url: ./kernels, keys: [./keys/catalog.pub] }
`;
    const outside = (version: string) => `name: outside${where}
kernels: { cloud: { from: debian, package: linux-image-cloud-amd64 } }
keys: { catalog: { file: ./keys/catalog } }
publish: { cloud: { bundle: cloud, name: generic, version: "${version}", to: "catalog:bucket" } }
`;
    const vendor = writeProject(outside("1"));
    await ok(vendor, "keys", "init");
    expect(await ok(vendor, "publish")).toMatchObject({ kernels: [{ name: "generic", known: false }] });
    const tar = path.join(temporaryDir(), "kernels.tar");
    expect(await ok(vendor, "catalog", "export", "bucket", tar)).toMatchObject({ serial: 1, bundles: 1 });

    const inside = writeProject(
      `name: inside${where}
kernel: { from: catalog, catalog: registry, bundle: generic }
initramfs: { init: busybox }
image: { kind: kernel }
`,
      { "keys/catalog.pub": fs.readFileSync(path.join(vendor, "keys/catalog.pub"), "utf8") },
    );
    expect((await cli(inside, "catalog", "import", tar, "registry", "--dry-run")).exit).toBe(10);
    for (const catalog of ["registry", "directory"])
      expect(await ok(inside, "catalog", "import", tar, catalog)).toMatchObject({ known: false, before: 0, serial: 1 });
    expect(await ok(inside, "catalog", "import", tar, "registry")).toMatchObject({ known: true });
    expect(await ok(inside, "build", "--store", temporaryDir())).toMatchObject({ images: [{ kind: "kernel" }] });

    // From a registry it goes on as it comes from anywhere.
    const again = path.join(temporaryDir(), "again.tar");
    await ok(inside, "catalog", "export", "registry", again);
    expect(fs.readFileSync(again).equals(fs.readFileSync(tar))).toBe(true);
    writeProject(outside("2"), {}, vendor);
    await ok(vendor, "publish");
    await ok(vendor, "catalog", "export", "bucket", tar);
    expect(await ok(inside, "catalog", "import", tar, "registry")).toMatchObject({ before: 1, serial: 2, bundles: 2 });
    const rolledBack = await cli(inside, "catalog", "import", again, "registry");
    expect(rolledBack.exit).toBe(7);
    expect(rolledBack.stderr).toContain("CATALOG_ROLLBACK");
  } finally {
    await ceph.stop();
  }
}, 240_000);
