/** Kernels from one project to another: published to a catalog, served by a web server, pulled, built from and booted. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { splitIndex } from "../../src/catalog/catalog-index.ts";
import { booted, guestOutput } from "../support/booted.ts";
import { type CliResult, documentOf, runCli } from "../support/cli.ts";
import { faultyServer } from "../support/faulty-server.ts";
import { needProgram } from "../support/need-program.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

const VENDOR = `
name: vendor
kernels: { cloud: { from: debian, package: linux-image-cloud-amd64 } }
keys: { catalog: { file: ./keys/catalog } }
catalogs: { kernels: { url: ./catalog, keys: [./keys/catalog.pub] } }
publish: { cloud: { bundle: cloud, name: generic-6.1, version: "1", to: "catalog:kernels" } }
`;

const user = (url: string, more = "") => `
name: user
catalogs: { kernels: { url: "${url}", keys: [./catalog.pub] } }
kernel: { from: catalog, bundle: generic-6.1${more} }
initramfs: { init: busybox, modules: [virtio_blk] }
image: { kind: kernel, cmdline: "console=ttyS0 quiet" }
`;

let vendor = "";
const home = temporaryDir();
const cli = (cwd: string, ...args: string[]): Promise<CliResult> =>
  runCli(args, { cwd, env: { BOOTWRIGHT_DATA: path.join(home, path.basename(cwd)) } });
const ok = async (cwd: string, ...args: string[]): Promise<CliResult> => {
  const result = await cli(cwd, ...args);
  expect(result.exit, result.stderr).toBe(0);
  return result;
};

/** The catalog as a web server has it, for one test. */
async function served() {
  const files: Record<string, Buffer> = {};
  const dir = path.join(vendor, "catalog");
  for (const name of fs.readdirSync(dir, { recursive: true, encoding: "utf8" }))
    if (fs.statSync(path.join(dir, name)).isFile()) files[`/${name}`] = fs.readFileSync(path.join(dir, name));
  return faultyServer({ files });
}

const consumer = (url: string, more?: string): string =>
  writeProject(user(url, more), { "catalog.pub": fs.readFileSync(path.join(vendor, "keys/catalog.pub"), "utf8") });

beforeAll(async () => {
  vendor = writeProject(VENDOR);
  await ok(vendor, "keys", "init");
  await ok(vendor, "kernel", "publish");
});

describe("the vendor", () => {
  test("has a secret key that only its owner reads, and that git does not take", () => {
    expect(fs.statSync(path.join(vendor, "keys/catalog.key")).mode & 0o777).toBe(0o600);
    expect(fs.readFileSync(path.join(vendor, "keys/.gitignore"), "utf8")).toBe("*.key\n");
  });

  test("keys init again keeps what is there", async () => {
    const key = fs.readFileSync(path.join(vendor, "keys/catalog.key"));
    expect((await ok(vendor, "keys", "init")).stdout).toMatch(/^kept catalog/);
    expect(fs.readFileSync(path.join(vendor, "keys/catalog.key"))).toEqual(key);
  });

  test("publishes once: the same bytes again are said to be there", async () => {
    expect((await ok(vendor, "kernel", "publish")).stdout).toMatch(
      /generic-6\.1 1 \(x86_64\) is in catalog kernels already/,
    );
    expect((await cli(vendor, "kernel", "publish", "--dry-run")).exit).toBe(0);
  });

  test("signs an index that minisign itself verifies", () => {
    const dir = temporaryDir();
    const { signature, json } = splitIndex(fs.readFileSync(path.join(vendor, "catalog/index/1")), "index");
    fs.writeFileSync(path.join(dir, "index.json"), json);
    fs.writeFileSync(path.join(dir, "index.json.minisig"), signature);
    const words = ["-V", "-p", path.join(vendor, "keys/catalog.pub"), "-m", path.join(dir, "index.json")];
    expect(execFileSync(needProgram("minisign", "minisign"), words, { encoding: "utf8" })).toContain("serial:1");
  });

  test("does not sign with a key that others may read", async () => {
    const key = path.join(vendor, "keys/catalog.key");
    fs.chmodSync(key, 0o644);
    try {
      const result = await cli(vendor, "kernel", "publish");
      expect(result.exit).toBe(6);
      expect(result.stderr).toContain("chmod 600");
    } finally {
      fs.chmodSync(key, 0o600);
    }
  });
});

describe("the user", () => {
  test("lists, pulls, shows, builds and boots a published kernel, over http", async () => {
    const server = await served();
    const dir = consumer(server.url, ", requires: [VIRTIO_BLK, EXT4_FS]");
    const available = documentOf(await ok(dir, "kernel", "ls", "--available", "--json"));
    expect(available.kernels).toMatchObject([{ name: "generic-6.1", version: "1", here: false }]);
    await ok(dir, "kernel", "pull", "generic-6.1");
    expect((await ok(dir, "kernel", "ls")).stdout).toMatch(/^generic-6\.1 +1 +x86_64 /);
    expect((await ok(dir, "kernel", "show", "generic-6.1")).stdout).toMatch(/linux-image-cloud-amd64/);

    const session = { dataDir: path.join(home, path.basename(dir)) };
    await booted(dir, { session }, async (machine) => {
      expect(await guestOutput(machine, "uname -r")).toMatch(/-cloud-amd64\n$/);
      expect(await guestOutput(machine, "lsmod")).toContain("virtio_blk");
    });

    const removed = await cli(dir, "kernel", "rm", "generic-6.1");
    expect(removed.exit).toBe(2);
    expect(removed.stderr).toContain(path.join(dir, "bootwright.yaml"));
    await ok(dir, "kernel", "rm", "generic-6.1", "--yes");
    expect((await ok(dir, "kernel", "ls")).stdout).toBe("");
  });

  test("keeps its pin when the catalog goes on, is told, and updates when it wants to", async () => {
    const own = writeProject(VENDOR.replace("url: ./catalog", `url: ${temporaryDir()}`), {
      "keys/catalog.pub": fs.readFileSync(path.join(vendor, "keys/catalog.pub"), "utf8"),
    });
    fs.copyFileSync(path.join(vendor, "keys/catalog.key"), path.join(own, "keys/catalog.key"));
    fs.chmodSync(path.join(own, "keys/catalog.key"), 0o600);
    await ok(own, "kernel", "publish");
    const url = /url: (\S+),/.exec(fs.readFileSync(path.join(own, "bootwright.yaml"), "utf8"))![1]!;
    const dir = consumer(url);
    await ok(dir, "build");
    expect((await cli(dir, "kernel", "outdated")).exit).toBe(0);
    const config = path.join(own, "bootwright.yaml");
    fs.writeFileSync(config, fs.readFileSync(config, "utf8").replace('version: "1"', 'version: "2"'));
    await ok(own, "kernel", "publish");
    const outdated = await cli(dir, "kernel", "outdated");
    expect(outdated.exit).toBe(10);
    expect(outdated.stdout).toMatch(/pinned +generic-6\.1 +x86_64 +1 → 2/);
    expect((await ok(dir, "build", "--frozen")).stderr).toContain("0 stages ran");
    expect((await ok(dir, "update")).stdout).toMatch(/bundle x86_64 kernels generic-6\.1: 1 .* → 2 /);
  });

  test("is refused a kernel that lacks what is required, before anything is built of it", async () => {
    const server = await served();
    const result = await cli(consumer(server.url, ", requires: [VIRTIO_BLK, XEN_PVH, EXT4_FS=m]"), "build");
    expect(result.exit).toBe(3);
    expect(result.stderr).toMatch(/KERNEL_UNFIT.*EXT4_FS=m \(has y\)/s);
    expect(result.stderr).not.toContain("initramfs:default: start");
  });

  test("is refused bytes that were changed on the way, and nothing of them stays", async () => {
    const server = await served();
    const name = Object.keys(server.files).find((one) => one.startsWith("/bundles/"))!;
    const bytes = Buffer.from(server.files[name]!);
    const dir = consumer(server.url);
    const store = temporaryDir();
    const pull = () =>
      runCli(["kernel", "pull", "generic-6.1"], { cwd: dir, store, env: { BOOTWRIGHT_DATA: path.join(dir, "data") } });
    bytes[bytes.length >> 1]! ^= 1;
    server.files[name] = bytes;
    expect(await pull()).toMatchObject({ exit: 7, stderr: expect.stringContaining("DIGEST_MISMATCH") });
    server.files[name] = Buffer.concat([bytes, bytes]);
    expect(await pull()).toMatchObject({ exit: 7, stderr: expect.stringContaining("DIGEST_MISMATCH") });
    expect(fs.existsSync(path.join(dir, "data/kernels"))).toBe(false);
    expect(fs.readdirSync(path.join(store, "tmp"))).toEqual([]);
  });

  test("is told a name that the catalog does not have, and a key that did not sign", async () => {
    const server = await served();
    const dir = consumer(server.url);
    expect(await cli(dir, "kernel", "pull", "generic-9")).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining("it has: generic-6.1"),
    });
    const other = writeProject(VENDOR);
    await ok(other, "keys", "init");
    fs.copyFileSync(path.join(other, "keys/catalog.pub"), path.join(dir, "catalog.pub"));
    expect(await cli(dir, "kernel", "ls", "--available")).toMatchObject({
      exit: 7,
      stderr: expect.stringContaining("SIGNATURE_INVALID"),
    });
  });
});

test("a kernel from a directory is imported, built from without any network, and removed", async () => {
  const dir = writeProject(`
name: own
kernels:
  cloud: { from: debian, package: linux-image-cloud-amd64 }
  mine: { from: catalog, catalog: local, bundle: mine }
initramfs: { init: busybox, kernel: mine, modules: [virtio_blk] }
images:
  parts: { kind: kernel, kernel: cloud, initramfs: none }
  own: { kind: kernel, kernel: mine }
`);
  await ok(dir, "build", "parts");
  const missing = await cli(dir, "build", "own");
  expect(missing).toMatchObject({ exit: 2, stderr: expect.stringContaining("bootwright kernel ls") });
  const kernel = path.join(dir, "kernel");
  fs.mkdirSync(path.join(kernel, "modules/6.1.0-mine"), { recursive: true });
  fs.copyFileSync(path.join(dir, "out/parts/vmlinuz"), path.join(kernel, "vmlinuz"));
  fs.writeFileSync(path.join(kernel, "modules/6.1.0-mine/modules.builtin"), "kernel/drivers/block/virtio_blk.ko\n");
  expect((await ok(dir, "kernel", "import", "mine", "--from", "kernel")).stdout).toMatch(
    /^mine 6\.1\.0-mine \(x86_64\)/,
  );
  await ok(dir, "build", "own");
  expect(fs.readFileSync(path.join(dir, "out/own/vmlinuz"))).toEqual(fs.readFileSync(path.join(kernel, "vmlinuz")));
  expect((await cli(dir, "kernel", "rm", "mine@6.1.0-mine", "--dry-run", "--yes")).exit).toBe(10);
  await ok(dir, "kernel", "rm", "mine", "--yes");
});

test("an empty directory is no kernel", async () => {
  const dir = temporaryDir();
  expect(await cli(dir, "kernel", "import", "mine", "--from", ".")).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining("no bzImage, vmlinuz, Image or vmlinux"),
  });
});
