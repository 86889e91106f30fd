/** A container image is published as one file, and to a registry as itself; it is released, pulled and verified from both, and read by skopeo. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import type { Link } from "../../src/verify/link.ts";
import { git, type PlatformProject, platformProject, promoteToProd } from "../release/platform-project.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { fetchCosign } from "../support/cosign.ts";
import { needProgram } from "../support/need-program.ts";
import { publicKeyFile } from "../support/public-key.ts";
import { dockerRegistry } from "../support/registry.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

const BUILDER = "https://ci.example.org/release";
const sha256 = (bytes: Buffer | string): string => createHash("sha256").update(bytes).digest("hex");

const home = temporaryDir();
const env = { HOME: home, no_proxy: "127.0.0.1" };
const skopeo = (...args: string[]): string =>
  execFileSync(needProgram("skopeo", "skopeo"), ["--insecure-policy", ...args], {
    ...{ encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { HOME: home, NO_PROXY: "127.0.0.1" } },
  });
/** The bytes of a manifest or index. */
const raw = (reference: string): string =>
  skopeo("inspect", "--raw", ...(reference.startsWith("docker:") ? ["--tls-verify=false"] : []), reference);

/** With a store of its own: what one place gave is not taken for another. */
const pull = (name: string, to: string) =>
  runCli(["pull", name, "--env", "prod", "--to", to, "--json"], {
    ...{ cwd: platform.dir, store: temporaryDir() },
    env: { ...env, BOOTWRIGHT_DATA: path.join(platform.dir, "user") },
  });

interface Published {
  readonly publication: string;
  readonly name: string;
  readonly digest: string;
  readonly sha256: string;
  readonly size: number;
  readonly address: string;
}

interface Maker {
  readonly dir: string;
  readonly set: (version: string, hello: string) => void;
  readonly cli: (...args: string[]) => ReturnType<typeof runCli>;
  readonly ok: (...args: string[]) => Promise<ReturnType<typeof documentOf>>;
}

const config = (version: string, { host, files }: { host: string; files: string }): string => `
name: box
version: "${version}"
trees:
  x64: { from: [{ dir: ./root }] }
  arm: { from: [{ dir: ./root }], files: { /arm: "arm" } }
images:
  one: { kind: oci, tree: x64, tag: here, config: { cmd: [/hello] } }
  both: { kind: oci, tree: { x86_64: x64, aarch64: arm } }
keys: { maker: { file: ./keys/maker, type: p256 } }
sources: { registries: { "${host}": { plainHttp: true } } }
publish:
  files: { image: both, to: "${files}", attest: { key: maker, builder: "${BUILDER}" } }
  registry: { image: both, to: "oci://${host}/team/both", keep: 1, attest: { key: maker, builder: "${BUILDER}" } }
  one: { image: one, to: "oci://${host}/team/one" }
`;

async function maker({ remote }: PlatformProject, places: { host: string; files: string }): Promise<Maker> {
  const dir = path.join(temporaryDir(), "kernel");
  git(path.dirname(dir), "clone", "--quiet", remote("kernel"), "kernel");
  const set = (version: string, hello: string) => {
    writeProject(
      config(version, places),
      { "root/hello": hello, ".gitignore": "/keys/\n/out/\n/data of the user/\n" },
      dir,
    );
    git(dir, "add", "--all");
    git(dir, "commit", "--quiet", "--allow-empty", "-m", `feat: ${version}`);
    git(dir, "push", "--quiet", "origin", "HEAD:main");
  };
  const cli = (...args: string[]) => runCli(args, { cwd: dir, env });
  const ok = async (...args: string[]) => {
    const result = await cli(...args, "--json");
    expect(result.exit, result.stderr + result.stdout).toBe(0);
    return documentOf(result);
  };
  set("0.1.0", "hello\n");
  await ok("keys", "init");
  return { dir, set, cli, ok };
}

let host: string;
let registryRoot: string;
let platform: PlatformProject;
let vendor: Maker;
/** Of the first publishing, by publication. */
let published: Readonly<Record<string, Published>>;
const files = path.join(temporaryDir(), "published");

beforeAll(async () => {
  ({ host, root: registryRoot } = await dockerRegistry());
  platform = await platformProject({
    publishes: { kernel: `${files}, "oci://${host}/team/both", "oci://${host}/team/one"` },
    ...{ more: `sources: { registries: { "${host}": { plainHttp: true } } }`, env },
  });
  vendor = await maker(platform, { host, files });
  expect((await vendor.cli("publish", "--dry-run")).exit).toBe(10);
  const list = (await vendor.ok("publish")).published as readonly Published[];
  published = Object.fromEntries(list.map((one) => [one.publication, one]));
}, 120_000);

describe("a container image", () => {
  test("is one file, and in a registry the image itself, byte for byte", () => {
    const [file, both, one] = [published.files!, published.registry!, published.one!];
    const archive = path.join(files, file.name);
    expect(file.name).toBe("box-both-0.1.0-multi.oci.tar");
    expect(fs.existsSync(path.join(files, "files-latest.oci.tar"))).toBe(true);
    expect(sha256(fs.readFileSync(archive))).toBe(file.sha256);
    expect(both).toMatchObject({ sha256: file.sha256, address: `oci://${host}/team/both@sha256:${both.digest}` });

    const index = raw(`oci-archive:${archive}`);
    expect(sha256(index)).toBe(both.digest);
    for (const tag of ["v0.1.0", "latest", `sha256-${file.sha256}`])
      expect(raw(`docker://${host}/team/both:${tag}`)).toBe(index);
    expect(JSON.parse(index).manifests.map((entry: { platform: object }) => entry.platform)).toEqual([
      { architecture: "amd64", os: "linux" },
      { architecture: "arm64", os: "linux" },
    ]);
    const inspected = JSON.parse(skopeo("inspect", "--tls-verify=false", `docker://${host}/team/one:v0.1.0`));
    expect(inspected).toMatchObject({ Digest: `sha256:${one.digest}`, Architecture: "amd64", Os: "linux" });
    // Holds every digest against its bytes.
    const dir = temporaryDir();
    for (const from of [`docker://${host}/team/both@sha256:${both.digest}`, `oci-archive:${archive}:latest`])
      skopeo("copy", "--all", "--src-tls-verify=false", from, `dir:${path.join(dir, sha256(from))}`);
    skopeo("copy", "--src-tls-verify=false", `docker://${host}/team/one:latest`, `dir:${path.join(dir, "one")}`);
  });

  test("published again changes nothing; other bytes under its version are refused", async () => {
    const again = (await vendor.ok("publish")).published as { known: boolean; digest: string }[];
    expect(again.map(({ known }) => known)).toEqual([true, true, true]);
    vendor.set("0.1.0", "other\n");
    for (const name of ["files", "registry", "one"]) {
      const refused = await vendor.cli("publish", name);
      expect(refused.exit).toBe(2);
      expect(refused.stderr).toMatch(/EXISTS.*0\.1\.1/s);
    }
    expect(sha256(raw(`docker://${host}/team/both:v0.1.0`))).toBe(published.registry!.digest);
    vendor.set("0.1.0", "hello\n");
    await vendor.ok("publish"); // The same bytes, from this commit as well.
  });

  test("is released, promoted, and pulled from each place as the same file", async () => {
    const { release } = await platform.json("release", "new", "v0.1.0");
    expect(release.artifacts.map(({ name, arch }: { name: string; arch: string }) => [name, arch])).toEqual([
      ...[["files", "multi"]],
      ...[["registry", "multi"]],
      ...[["one", "x86_64"]],
    ]);
    await promoteToProd(platform, "v0.1.0");
    for (const name of ["files", "registry", "one"]) {
      const to = path.join(platform.dir, "pulled", name);
      const pulled = await pull(name, to);
      expect(pulled.exit, pulled.stderr + pulled.stdout).toBe(0);
      const bytes = fs.readFileSync(path.join(to, published[name]!.name));
      expect({ name, sha256: sha256(bytes), size: bytes.length }).toEqual({
        ...{ name, sha256: published[name]!.sha256, size: published[name]!.size },
      });
    }
    expect(sha256(raw(`oci-archive:${path.join(platform.dir, "pulled/one", published.one!.name)}`))).toBe(
      published.one!.digest,
    );
  });

  test("is verified wherever it lies, by us and by cosign", async () => {
    fs.writeFileSync(
      path.join(vendor.dir, "policy.yaml"),
      `provenance: { keys: [keys/maker.crt], builder: "${BUILDER}", signature: true }\n`,
    );
    for (const reference of [path.join(files, published.files!.name), published.registry!.address]) {
      const found = await vendor.ok("verify", reference, "--policy", "policy.yaml", "--plain-http");
      expect(found).toMatchObject({ violations: [], passedOver: [] });
      // Of two commits.
      expect(found.statements.map(({ builder }: { builder: string }) => builder)).toEqual([BUILDER, BUILDER]);
      expect(found.bills).toHaveLength(2);
    }
    const unsigned = await vendor.cli("verify", published.one!.address, "--policy", "policy.yaml", "--plain-http");
    expect(unsigned.exit).toBe(7);
    const [cosign, key] = [await fetchCosign(), publicKeyFile(path.join(vendor.dir, "keys/maker.crt"))];
    const options = ["--key", key, "--insecure-ignore-tlog", "--allow-http-registry"];
    cosign("verify", ...options, `${host}/team/both:v0.1.0`);
    for (const type of ["slsaprovenance1", "spdxjson", "cyclonedx"])
      cosign("verify-attestation", ...options, "--type", type, `${host}/team/both:v0.1.0`);
  });

  test("is verified where it runs; a blob that was changed is found", async () => {
    fs.copyFileSync(path.join(vendor.dir, "keys/maker.crt"), path.join(platform.dir, "maker.crt"));
    fs.writeFileSync(
      path.join(platform.dir, "policy.yaml"),
      `
environment: { keys: [keys/release.pub], approvals: 1, approvers: { approver: keys/approver.pub } }
provenance: { keys: [maker.crt], builder: "${BUILDER}", signature: true }
`,
    );
    const look = async (name: string) => {
      const result = await platform.cli("verify", `env:prod/${name}`, "--policy", "policy.yaml", "--json");
      const links = documentOf(result).links as readonly Link[];
      expect(result.exit, result.stderr).toBe(links.some(({ state }) => state === "broken") ? 7 : 0);
      return links.filter(({ where }) => where.startsWith("kernel/")).map(({ link, state }) => `${link} ${state}`);
    };
    const whole = ["bytes holds", "signature holds", "provenance holds", "bill holds"];
    expect(await look("files")).toEqual(whole);
    expect(await look("registry")).toEqual(whole);
    const manifest = JSON.parse(raw(`docker://${host}/team/both:v0.1.0`)).manifests[1].digest as string;
    const layer = JSON.parse(raw(`docker://${host}/team/both@${manifest}`)).layers[0].digest.slice("sha256:".length);
    const blob = path.join(registryRoot, `docker/registry/v2/blobs/sha256/${layer.slice(0, 2)}/${layer}/data`);
    const bytes = fs.readFileSync(blob);
    const changed = Buffer.from(bytes);
    changed[changed.length >> 1]! ^= 1;
    fs.writeFileSync(blob, changed);
    expect(await look("registry")).toEqual(["bytes broken"]);
    const to = path.join(platform.dir, "damaged");
    expect(documentOf(await pull("registry", to)).error.code).toBe("DIGEST_MISMATCH");
    expect(fs.existsSync(to)).toBe(false);
    fs.writeFileSync(blob, bytes);
    expect(await look("registry")).toEqual(whole);
  });

  test("stays under its digest as long as a name means it", async () => {
    const { digest } = published.registry!;
    vendor.set("0.1.1", "hello\n");
    const same = await vendor.ok("publish", "registry");
    expect(same).toMatchObject({
      published: [{ known: false, digest }],
      retired: [{ name: "box-both-0.1.0-multi.oci.tar", removed: false }],
    });
    expect(sha256(raw(`docker://${host}/team/both:v0.1.1`))).toBe(digest);
    await vendor.ok("verify", same.published[0].address, "--policy", "policy.yaml", "--plain-http");
    vendor.set("0.2.0", "other\n");
    const other = await vendor.ok("publish", "registry");
    expect(other.retired).toMatchObject([{ name: "box-both-0.1.1-multi.oci.tar", removed: true }]);
    expect(() => raw(`docker://${host}/team/both@sha256:${digest}`)).toThrow();
    expect(raw(`docker://${host}/team/both:latest`)).toBe(raw(`docker://${host}/team/both:v0.2.0`));
    expect(documentOf(await pull("registry", temporaryDir())).error.code).toBe("REGISTRY_UNKNOWN");
    expect(await vendor.ok("publish", "--sweep", "files", "registry")).toMatchObject({ ok: true });
    expect(await vendor.ok("publish", "registry")).toMatchObject({ published: [{ known: true }], retired: [] });
  });
});
