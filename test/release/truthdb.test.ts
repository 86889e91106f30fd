/**
 * A database vendor's whole way: the kernel, the ISO and the builder image are three git repositories and one platform. What
 * they publish goes to a registry and an object store, releases go from test to prod and back, and the ISO takes the kernel
 * that runs in prod, by its digest, each time. The kernel is examples/truthdb's, which other tests compile, too.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type S3Server, startCeph } from "../servers/ceph.ts";
import type { RegistryServer } from "../servers/docker-registry.ts";
import { bootFiles } from "../support/booted.ts";
import { type CliResult, documentOf, runCli } from "../support/cli.ts";
import { dockerRegistry } from "../support/registry.ts";
import { temporaryDir } from "../support/test-session.ts";
import { truthdbProject } from "../support/truthdb-project.ts";
import { git } from "./platform-project.ts";

const MINUTES = 60_000;
const REPOSITORIES = ["builder-image", "installer-kernel", "installer-iso"] as const;

let ceph: S3Server;
let registry: RegistryServer;
beforeAll(async () => {
  [ceph, registry] = await Promise.all([startCeph(temporaryDir("bootwright-s3-")), dockerRegistry()]);
  const { endpoint, region, accessKey: accessKeyId, secretKey: secretAccessKey } = ceph;
  const sdk = new S3Client({ endpoint, region, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  for (const Bucket of ["releases", "truthdb"]) await sdk.send(new CreateBucketCommand({ Bucket }));
  sdk.destroy();
}, 5 * MINUTES);
afterAll(() => ceph?.stop());

const buckets = () => {
  const bucket = `{ endpoint: "${ceph.endpoint}", region: "${ceph.region}" }`;
  return `{ releases: ${bucket}, truthdb: ${bucket} }`;
};
const registries = () => `{ registries: { "${registry.host}": { plainHttp: true } } }`;

/** The kernel and the initramfs of the installer as one EFI file, in a registry. */
const kernelRepository = (): string =>
  truthdbProject((config) =>
    config.replace(
      "machines: {",
      `sources: ${registries()},
  publish: { kernel: { image: "efi", to: "oci://${registry.host}/truthdb/installer-kernel" } },
  machines: {`,
    ),
  );

const isoConfig = (version: string) => `
name: installer-iso
version: ${version}
sources:
  registries: { "${registry.host}": { plainHttp: true } }
  releases: { truthdb: { record: "s3://releases/truthdb", keys: [./release.pub] } }
kernel: { from: release, release: truthdb, artifact: kernel, env: prod }
images:
  efi: { kind: efi, initramfs: none }
  iso: { kind: iso, boot: efi }

buckets: ${buckets()}
publish: { iso: { image: iso, to: "s3://truthdb/iso", index: [SHA256SUMS, index.html] } }
`;

const builderConfig = (version: string) => `
name: builder-image
version: ${version}
trees: { builder: { from: [{ debian: [busybox-static], unpack: true }], files: { /builder: { content: "${version}" } } } }
images: { builder: { kind: tar, tree: builder } }
sources: ${registries()}
publish: { builder: { image: builder, to: "oci://${registry.host}/truthdb/builder" } }
`;

/** The ISO needs a kernel that runs in prod, so it is not in the first release. */
const platformConfig = (remote: (name: string) => string, { first }: { first: boolean }) => `
name: truthdb
keys: { release: { file: ./keys/release, type: ed25519 }, approver: { file: ./keys/approver, type: ed25519 } }
buckets: ${buckets()}
sources: ${registries()}
platform:
  repositories:
    builder-image: { git: "${remote("builder-image")}", check: none, publishes: "oci://${registry.host}/truthdb/builder" }
    installer-kernel: { git: "${remote("installer-kernel")}", check: none, publishes: "oci://${registry.host}/truthdb/installer-kernel" }
    installer-iso: { git: "${remote("installer-iso")}", check: none${first ? "" : ', publishes: "s3://truthdb/iso"'} }
  record: s3://releases/truthdb
  git: "${remote("platform")}"
  key: release
  approvers: { approver: ./keys/approver.pub }
environments: { test: {}, staging: { after: test }, prod: { after: staging, approvals: 1 } }
`;

test(
  "v0.1.0 to prod, a change, v0.1.1 to prod, and back; the ISO has what runs in prod",
  async () => {
    const told: CliResult[] = [];
    const secrets = { AWS_ACCESS_KEY_ID: ceph.accessKey, AWS_SECRET_ACCESS_KEY: ceph.secretKey };
    const run = async (cwd: string, ...args: string[]): Promise<ReturnType<typeof documentOf>> => {
      const env = { ...secrets, BOOTWRIGHT_WHO: "release@example.org", BOOTWRIGHT_DATA: path.join(cwd, "user") };
      const result = await runCli([...args, "--json"], { cwd, env });
      told.push(result);
      expect(result.exit, args.join(" ") + result.stderr + result.stdout).toBe(0);
      return documentOf(result);
    };

    const remotes = temporaryDir();
    const remote = (name: string) => path.join(remotes, `${name}.git`);
    for (const name of [...REPOSITORIES, "platform"])
      git(remotes, "init", "--quiet", "--bare", "--initial-branch=main", `${name}.git`);
    const [kernel, builder, iso, platform] = [kernelRepository(), temporaryDir(), temporaryDir(), temporaryDir()];
    const checkouts = { "builder-image": builder, "installer-kernel": kernel, "installer-iso": iso };

    /** Each repository's config says the platform's version; one commit each. */
    const commitAll = (version: string, messages: Readonly<Record<(typeof REPOSITORIES)[number], string>>): void => {
      const file = path.join(kernel, "bootwright.config.ts");
      fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace(/version: "\d[^"]*"/, `version: "${version}"`));
      fs.writeFileSync(path.join(builder, "bootwright.yaml"), builderConfig(version));
      fs.writeFileSync(path.join(iso, "bootwright.yaml"), isoConfig(version));
      for (const name of REPOSITORIES) {
        const dir = checkouts[name];
        if (!fs.existsSync(path.join(dir, ".git"))) {
          git(dir, "init", "--quiet", "--initial-branch=main");
          git(dir, "remote", "add", "origin", remote(name));
          fs.writeFileSync(path.join(dir, ".gitignore"), "/out/\n/user/\n");
        }
        git(dir, "add", "--all");
        git(dir, "commit", "--quiet", "-m", messages[name]);
        git(dir, "push", "--quiet", "origin", "main");
      }
    };
    /** What runs in prod: by hand, and as the ISO's repository takes it. */
    const prodKernel = async (): Promise<string> => {
      const [pulled] = (await run(platform, "pull", "kernel", "--env", "prod")).artifacts;
      const sha256 = createHash("sha256").update(fs.readFileSync(pulled.path)).digest("hex");
      expect(sha256).toBe(pulled.sha256);
      await run(iso, "update");
      expect(fs.readFileSync(path.join(iso, "bootwright.lock"), "utf8")).toContain(sha256);
      return sha256;
    };
    const toProd = async (version: string): Promise<void> => {
      for (const name of ["test", "staging"]) await run(platform, "promote", name, version);
      await run(platform, "approve", "prod", version, "--key", "keys/approver");
      await run(platform, "promote", "prod", version);
    };

    const writePlatform = (first: boolean): void =>
      fs.writeFileSync(path.join(platform, "bootwright.yaml"), platformConfig(remote, { first }));
    writePlatform(true);
    await run(platform, "keys", "init");
    fs.copyFileSync(path.join(platform, "keys/release.pub"), path.join(iso, "release.pub"));
    const feature = "feat: as it begins";
    commitAll("0.1.0", { "builder-image": feature, "installer-kernel": feature, "installer-iso": feature });
    const [first] = (await run(kernel, "publish")).published;
    await run(builder, "publish");
    const { release } = await run(platform, "release", "new", "v0.1.0");
    expect(release.artifacts).toHaveLength(2);
    expect(release.artifacts).toContainEqual(
      expect.objectContaining({ repository: "installer-kernel", version: "0.1.0", sha256: first.sha256 }),
    );
    await run(platform, "release", "tag", "v0.1.0");
    for (const name of REPOSITORIES)
      expect(git(remote(name), "rev-parse", "v0.1.0^{commit}")).toBe(git(checkouts[name], "rev-parse", "HEAD"));
    await toProd("v0.1.0");
    expect(await prodKernel()).toBe(first.sha256);

    // A change of the installer: the kernel is linked anew, nothing is compiled.
    const paint = path.join(kernel, "installer/usr/bin/paint");
    fs.writeFileSync(paint, fs.readFileSync(paint, "utf8").replace("truthdb: painted", "truthdb: painted better"));
    const [fix, chore] = ["fix(installer): paints better", "chore: v0.1.1"];
    commitAll("0.1.1", { "builder-image": chore, "installer-kernel": fix, "installer-iso": chore });
    const [second] = (await run(kernel, "publish")).published;
    expect(second.sha256).not.toBe(first.sha256);
    await run(builder, "publish");
    expect(await prodKernel()).toBe(first.sha256); // v0.1.1 is in no environment yet.
    await run(iso, "publish");
    writePlatform(false);
    const next = (await run(platform, "release", "new", "v0.1.1")).release;
    expect(next.artifacts.map(({ repository }: { repository: string }) => repository).sort()).toEqual(
      [...REPOSITORIES].sort(),
    );
    expect(next.notes["installer-kernel"]).toMatchObject([
      { type: "fix", scope: "installer", subject: "paints better" },
    ]);
    await run(platform, "release", "tag", "v0.1.1");
    await toProd("v0.1.1");
    expect(await prodKernel()).toBe(second.sha256);
    const [image] = (await run(iso, "build", "iso")).images;
    {
      await using machine = await bootFiles({
        kind: "uefi",
        medium: { kind: "iso", path: path.resolve(iso, image.file) },
      });
      await machine.console.waitFor(/truthdb: painted better/);
    }

    await run(platform, "rollback", "prod");
    expect(await prodKernel()).toBe(first.sha256);
    expect((await run(platform, "status")).environments).toMatchObject([
      { name: "test", release: "v0.1.1" },
      { name: "staging", release: "v0.1.1" },
      { name: "prod", release: "v0.1.0" },
    ]);
    await run(platform, "release", "verify");

    for (const { stdout, stderr } of told) {
      expect(stdout + stderr).not.toContain(ceph.secretKey);
      expect(stdout + stderr).not.toContain("PRIVATE KEY");
    }
  },
  60 * MINUTES,
);
