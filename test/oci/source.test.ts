/** Images in a registry as trees: pinned in the lock, moved by `update`, built without a word to the registry when all is there. */
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { beforeAll, describe, expect, test } from "vitest";
import { update } from "../../src/api/update.ts";
import { digestOf } from "../../src/base/digest.ts";
import { loadLock } from "../../src/source/lock.ts";
import type { RegistryServer } from "../servers/docker-registry.ts";
import { needProgram } from "../support/need-program.ts";
import { file as entry, layerTar, writeLayout } from "../support/oci-layout.ts";
import { dockerRegistry } from "../support/registry.ts";
import { buildProject, temporaryDir, testSession, writeProject } from "../support/test-session.ts";

const ENTRY = path.join(import.meta.dirname, "../../src/cli/entry.ts");

let server: RegistryServer;
beforeAll(async () => {
  server = await dockerRegistry();
});

/** Pushed by skopeo: another hand than the one that reads it. */
function push(ref: string, content: string, architecture = "amd64"): void {
  const dir = temporaryDir();
  const layers = [layerTar(entry("base", "base\n")), layerTar(entry("file", content))].map((tar) => ({
    ...{ bytes: gzipSync(tar), type: "+gzip", diffId: digestOf(tar).hash },
  }));
  writeLayout(dir, [{ layers, tag: "t", platform: { os: "linux", architecture } }]);
  execFileSync(
    needProgram("skopeo", "skopeo"),
    ["--insecure-policy", "copy", "--dest-tls-verify=false", `oci:${dir}:t`, `docker://${server.host}/${ref}`],
    { stdio: "pipe" },
  );
}

const projectOf = (ref: string, registries = `"${server.host}": { plainHttp: true }`): string =>
  writeProject(`
name: x
sources: { registries: { ${registries} } }
trees: { root: { from: [{ oci: "docker://${server.host}/${ref}" }] } }
images: { root: { kind: tar, tree: root, compress: none } }
`);

const content = (tar: string): string =>
  execFileSync(needProgram("tar", "tar"), ["-xOf", tar, "file", "base"], { encoding: "utf8" });

describe("an image in a registry", () => {
  test("is a tree, pinned until `update` moves it", async () => {
    push("src/base:1", "one\n");
    const project = projectOf("src/base:1");
    const storeDir = temporaryDir();
    await expect(buildProject(project, { storeDir, frozen: true })).rejects.toMatchObject({ code: "LOCK_FROZEN" });
    await expect(buildProject(project, { storeDir, offline: true })).rejects.toMatchObject({ code: "OFFLINE" });
    const built = await buildProject(project, { storeDir });
    expect(content(built.root!)).toBe("base\none\n");
    const lockFile = path.join(project, "bootwright.lock");
    const name = `image amd64 ${server.host}/src/base:1`;
    expect(loadLock(lockFile)[name]).toMatchObject({ type: "image", layers: [{ size: expect.any(Number) }, {}] });

    push("src/base:1", "two\n");
    const locked = fs.readFileSync(lockFile, "utf8");
    // Another machine, the same lock: the old image, though the tag has moved.
    const elsewhere = await buildProject(project, { storeDir: temporaryDir(), frozen: true });
    expect(content(elsewhere.root!)).toBe("base\none\n");
    await expect(buildProject(project, { storeDir: temporaryDir(), offline: true })).rejects.toMatchObject({
      code: "OFFLINE",
      message: expect.stringMatching(/layer sha256:[0-9a-f]{12} of .*\/src\/base:1 is not in the store/),
    });
    const dry = await update(testSession(project, { storeDir }), {
      names: [`${server.host}/src/base:1`],
      dryRun: true,
    });
    expect(dry).toMatchObject({
      exit: 10,
      text: expect.stringMatching(/^~ image amd64 .*: sha256:\w{12} → sha256:\w{12}$/),
    });
    expect(fs.readFileSync(lockFile, "utf8")).toBe(locked);
    await update(testSession(project, { storeDir }), { names: [], dryRun: false });
    expect(content((await buildProject(project, { storeDir })).root!)).toBe("base\ntwo\n");
    // All is there: neither the network nor the lock is needed again.
    expect(content((await buildProject(project, { storeDir, offline: true, frozen: true })).root!)).toBe("base\ntwo\n");
  });

  test("costs an unchanged build nothing: no part of the client is loaded", async () => {
    push("src/base:3", "three\n");
    const project = projectOf("src/base:3");
    const storeDir = temporaryDir();
    await buildProject(project, { storeDir });
    const hook = `import { registerHooks } from "node:module";
registerHooks({ load(url, context, next) { process.stderr.write(url + "\\n"); return next(url, context); } });`;
    const { stderr, status } = spawnSync(
      process.execPath,
      [`--import=data:text/javascript,${encodeURIComponent(hook)}`, ENTRY, "build", "--progress=quiet"],
      {
        cwd: project,
        encoding: "utf8",
        env: { HOME: project, PATH: process.env.PATH ?? "", BOOTWRIGHT_STORE: storeDir },
      },
    );
    expect(status, stderr).toBe(0);
    expect(stderr).toContain("src/oci/layer-stages.ts"); // The stages are there: the list is one.
    expect(stderr).not.toMatch(/undici|src\/oci\/(?!layer-stages|layout\.)/);
  });

  test("by its digest is that image for ever; of another architecture it is refused", async () => {
    push("src/arm:1", "arm\n", "arm64");
    await expect(buildProject(projectOf("src/arm:1"), { storeDir: temporaryDir() })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("is for linux/arm64; this project needs linux/amd64"),
    });
    push("src/fixed:1", "fixed\n");
    const { digest } = loadLock(path.join(await buildAndGive(projectOf("src/fixed:1")), "bootwright.lock"))[
      `image amd64 ${server.host}/src/fixed:1`
    ] as { digest: string };
    push("src/fixed:1", "moved\n");
    const project = projectOf(`src/fixed:1@sha256:${digest}`);
    expect(content((await buildProject(project, { storeDir: temporaryDir() })).root!)).toBe("base\nfixed\n");
  });

  test("is reached without TLS only where the config says so", async () => {
    push("src/base:2", "two\n");
    await expect(buildProject(projectOf("src/base:2", ""), { storeDir: temporaryDir() })).rejects.toMatchObject({
      code: "NETWORK",
      message: expect.stringContaining("does not speak TLS"),
      hint: expect.stringContaining("plainHttp"),
    });
  });

  test("with mistakes in its reference is refused before anything is asked", async () => {
    const wrong = (origin: string) =>
      buildProject(writeProject(`name: x\ntrees: { t: { from: [${origin}] } }\nimages: { i: { kind: tar, tree: t } }`));
    await expect(wrong('{ oci: "docker://base" }')).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await expect(wrong('{ oci: "docker://registry.example.org/b", tag: "1" }')).rejects.toMatchObject({
      code: "CONFIG_INVALID",
    });
    await expect(wrong('{ oci: "docker://registry.example.org/Base:1" }')).rejects.toMatchObject({
      code: "USAGE",
      hint: expect.stringContaining("lower case"),
    });
  });
});

async function buildAndGive(project: string): Promise<string> {
  await buildProject(project, { storeDir: temporaryDir() });
  return project;
}
