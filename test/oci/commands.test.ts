/** `bootwright oci …` as a person runs it, against Debian's docker-registry, with skopeo on the other side. */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import type { RegistryServer } from "../servers/docker-registry.ts";
import { type CliResult, documentOf, runCli } from "../support/cli.ts";
import { needProgram } from "../support/need-program.ts";
import { dir as directory, file as entry, layerTar, writeLayout } from "../support/oci-layout.ts";
import { dockerRegistry } from "../support/registry.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

let server: RegistryServer;
beforeAll(async () => {
  server = await dockerRegistry();
});

const skopeo = (...args: string[]) =>
  execFileSync(needProgram("skopeo", "skopeo"), ["--insecure-policy", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });

const home = temporaryDir();
const oci = (cwd: string, ...words: string[]): Promise<CliResult> =>
  runCli(["oci", ...words, "--plain-http"], { cwd, env: { HOME: home, no_proxy: "127.0.0.1" } });
async function ok(cwd: string, ...words: string[]) {
  const result = await oci(cwd, ...words, "--json");
  if (result.exit !== 0) throw new Error(result.stderr + result.stdout);
  return documentOf(result);
}

const layoutOf = (content: string, architecture = "amd64"): string => {
  const dir = path.join(temporaryDir(), "layout");
  fs.mkdirSync(dir);
  const tar = layerTar(directory("d"), entry("d/f", content));
  // Compressed, since skopeo compresses what is not, and then it is another image.
  const layer = { bytes: gzipSync(tar), type: "+gzip", diffId: digestOf(tar).hash };
  writeLayout(dir, [{ layers: [layer], tag: "t", platform: { os: "linux", architecture } }]);
  return dir;
};

describe("files", () => {
  test("go up as an artifact, and come back as they were", async () => {
    const dir = temporaryDir();
    const bytes = randomBytes(300_000);
    fs.writeFileSync(path.join(dir, "a.efi"), bytes);
    fs.writeFileSync(path.join(dir, "b.txt"), "text\n");
    const ref = `${server.host}/team/files:1.0`;
    const dry = await oci(dir, "push", "./a.efi", "b.txt", ref, "--dry-run");
    expect(dry).toMatchObject({ exit: 10, stdout: expect.stringMatching(/^would push .*\/team\/files:1\.0@sha256:/) });
    const words = [
      "push",
      "./a.efi",
      "b.txt",
      ref,
      "--type",
      "application/vnd.example.boot",
      "--annotation",
      "org.example.x=1",
    ];
    const pushed = await ok(dir, ...words);
    expect(pushed).toMatchObject({
      ok: true,
      artifactType: "application/vnd.example.boot",
      known: false,
      sent: 300_007,
    });
    expect(await ok(dir, ...words)).toMatchObject({ digest: pushed.digest, known: true, sent: 0 });
    expect(await ok(dir, "inspect", ref)).toMatchObject({
      kind: "artifact",
      digest: pushed.digest,
      annotations: { "org.example.x": "1" },
      layers: [
        { mediaType: "application/vnd.microsoft.portable-executable", size: 300_000 },
        { mediaType: "text/plain", size: 5 },
      ],
      referrers: [],
    });
    const pulled = await ok(dir, "pull", `${ref.replace(":1.0", "")}@${pushed.digest}`, "--to", "back");
    expect(pulled.files.map((one: { known: boolean }) => one.known)).toEqual([false, false]);
    expect(fs.readFileSync(path.join(dir, "back/a.efi")).equals(bytes)).toBe(true);
    fs.writeFileSync(path.join(dir, "back/b.txt"), "mine\n");
    const refused = await oci(dir, "pull", ref, "--to", "back");
    expect(refused).toMatchObject({ exit: 2, stderr: expect.stringContaining("EXISTS") });
    expect(fs.readFileSync(path.join(dir, "back/b.txt"), "utf8")).toBe("mine\n");
    await ok(dir, "pull", ref, "--to", "back", "--replace");
    expect(fs.readFileSync(path.join(dir, "back/b.txt"), "utf8")).toBe("text\n");
  });

  test("get further names, and are listed", async () => {
    const dir = temporaryDir();
    fs.writeFileSync(path.join(dir, "f"), "1");
    const ref = `${server.host}/names/f:1`;
    const { digest } = await ok(dir, "push", "./f", ref);
    const dry = await oci(dir, "tag", ref, "latest", "v1", "--dry-run");
    expect(dry).toMatchObject({ exit: 10, stdout: expect.stringContaining("latest would be sha256:") });
    expect(await ok(dir, "ls", `${server.host}/names/f`)).toMatchObject({ tags: ["1"] });
    expect(await ok(dir, "tag", ref, "latest", "v1")).toMatchObject({
      digest,
      tags: [{ known: false }, { known: false }],
    });
    expect((await ok(dir, "ls", `${server.host}/names/f`)).tags.sort()).toEqual(["1", "latest", "v1"]);
    expect((await ok(dir, "ls", server.host)).repositories).toContain("names/f");
    const wrong = await oci(dir, "pull", `${server.host}/names/f:v2`);
    expect(wrong.exit).toBe(5);
    expect(wrong.stderr).toMatch(/REGISTRY_UNKNOWN .*has nothing under v2; did you mean "v1"\?[\s\S]*it has: /);
    const nowhere = await oci(dir, "pull", `${server.host}/names/none:1`);
    expect(nowhere.stderr).toMatch(/REGISTRY_UNKNOWN .*has no repository names\/none/);
  });

  test("of a project are built before", async () => {
    const dir = writeProject(
      'name: x\ntrees: { t: { files: { /a: "1" } } }\nimages: { i: { kind: tar, tree: t }, app: { kind: oci, tree: t } }',
    );
    expect(await ok(dir, "push", "i", `${server.host}/project/i:1`)).toMatchObject({
      artifactType: "application/vnd.bootwright.tar.v1",
    });
    await ok(dir, "push", "app", `${server.host}/project/app:1`);
    const inspected = JSON.parse(skopeo("inspect", "--tls-verify=false", `docker://${server.host}/project/app:1`));
    expect(inspected).toMatchObject({ Architecture: "amd64", Os: "linux", RepoTags: ["1"] });
    const unknown = await oci(dir, "push", "none", `${server.host}/project/none:1`);
    expect(unknown).toMatchObject({ exit: 2, stderr: expect.stringContaining("NAME_UNKNOWN") });
  });
});

describe("images", () => {
  test("that we push skopeo reads, and we read what it pushes, byte for byte", async () => {
    const dir = temporaryDir();
    const layout = layoutOf("ours");
    const { digest } = await ok(dir, "push", layout, `${server.host}/img/ours:1`);
    skopeo("copy", "--src-tls-verify=false", `docker://${server.host}/img/ours:1`, `oci:${dir}/theirs:x`);
    expect(await ok(dir, "ls", "oci:theirs")).toMatchObject({ images: [{ digest, tag: "x" }] });

    skopeo("copy", "--dest-tls-verify=false", `oci:${layoutOf("theirs")}:t`, `docker://${server.host}/img/theirs:1`);
    const pulled = await ok(dir, "pull", `${server.host}/img/theirs:1`, "--to", "pulled");
    expect(JSON.parse(skopeo("inspect", "--raw", `oci:${dir}/pulled:1`))).toMatchObject({ schemaVersion: 2 });
    skopeo("copy", `oci:${dir}/pulled:1`, `dir:${dir}/all`); // Holds every digest against its bytes.
    expect(skopeo("inspect", "--format", "{{.Digest}}", `oci:${dir}/pulled:1`).trim()).toBe(pulled.digest);
  });

  test("of two architectures become an index, and a wrong one is told what there is", async () => {
    const dir = temporaryDir();
    const ref = `${server.host}/img/multi:1`;
    const index = await ok(dir, "push", layoutOf("a", "amd64"), layoutOf("b", "arm64"), ref);
    expect(index.mediaType).toBe("application/vnd.oci.image.index.v1+json");
    const raw = JSON.parse(skopeo("inspect", "--raw", "--tls-verify=false", `docker://${ref}`));
    expect(raw.manifests.map((one: { platform: object }) => one.platform)).toEqual([
      { architecture: "amd64", os: "linux" },
      { architecture: "arm64", os: "linux" },
    ]);
    const config = (arch: string) =>
      JSON.parse(skopeo(`--override-arch=${arch}`, "inspect", "--config", "--tls-verify=false", `docker://${ref}`));
    expect(config("arm64").architecture).toBe("arm64");
    expect((await ok(dir, "inspect", ref, "--platform", "linux/arm64")).digest).toBe(raw.manifests[1].digest);
    const wrong = await oci(dir, "pull", ref, "--platform", "linux/riscv64");
    expect(wrong.exit).toBe(3);
    expect(wrong.stderr).toMatch(/no image for linux\/riscv64; there is linux\/amd64, linux\/arm64/);
    // All of it, as one layout, as a tar, and up again under another name: mounted, nothing is sent.
    expect((await ok(dir, "pull", ref, "--to", "all")).digest).toBe(index.digest);
    expect((await ok(dir, "copy", ref, "oci-archive:all.tar:x")).digest).toBe(index.digest);
    skopeo("copy", "--all", `oci-archive:${dir}/all.tar:x`, `dir:${dir}/checked`);
    execFileSync(needProgram("tar", "tar"), ["-tf", path.join(dir, "all.tar")]);
    expect(await ok(dir, "copy", ref, `${server.host}/other/multi:2`)).toMatchObject({ digest: index.digest, sent: 0 });
    expect((await ok(dir, "copy", "oci-archive:all.tar:x", `${server.host}/third/multi:2`)).digest).toBe(index.digest);
  });

  test("join a layout that is there, and no other directory", async () => {
    const dir = temporaryDir();
    const [one, two] = [layoutOf("1"), layoutOf("2")];
    await ok(dir, "copy", one, "oci:all:one");
    await ok(dir, "copy", two, "oci:all:two");
    await ok(dir, "copy", two, "oci:all:one");
    const { images } = await ok(dir, "ls", "oci:all");
    expect(images.map(({ tag }: { tag: string }) => tag)).toEqual(["two", "one"]);
    expect(images[0].digest).toBe(images[1].digest);
    fs.mkdirSync(path.join(dir, "mine"));
    fs.writeFileSync(path.join(dir, "mine/x"), "");
    expect(await oci(dir, "copy", one, "oci:mine")).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining("EXISTS"),
    });
    expect(fs.readdirSync(path.join(dir, "mine"))).toEqual(["x"]);
  });
});
