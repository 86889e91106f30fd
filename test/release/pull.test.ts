/** What runs in prod, taken by digest: by hand, and as the kernel of another project. */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { runningDigests } from "../../src/api/running-digests.ts";
import { directoryPlace } from "../../src/base/directory-place.ts";
import { placeTarget } from "../../src/publish/place-target.ts";
import { publishFiles } from "../../src/publish/publish-files.ts";
import { bzImage } from "../support/bz-image.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { serveDirectory } from "../support/served-directory.ts";
import { temporaryDir, withProject, writeProject } from "../support/test-session.ts";
import { commit, platformProject, promoteToProd } from "./platform-project.ts";

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
const store = temporaryDir();

/** What the kernel's repository does: publishes under a version. */
async function publish(to: string, { version, kernel }: { version: string; kernel: Buffer }): Promise<void> {
  const local = path.join(temporaryDir(), "bzImage");
  fs.writeFileSync(local, kernel);
  const identity = {
    publication: "kernel",
    image: "kernel",
    kind: "efi",
    name: `kernel-${version}.efi`,
    immutable: [],
  };
  await publishFiles(placeTarget(directoryPlace(to)), {
    files: [
      {
        ...{ ...identity, moving: ["latest"], version, arch: "x86_64", kernel: "", local },
        ...{ size: kernel.length, sha256: sha256(kernel) },
      },
    ],
    ...{ keep: { kernel: 10 }, protectedDigests: new Set(), views: ["SHA256SUMS"], secret: undefined },
    ...{ now: "2026-01-02T03:04:05Z", signal: new AbortController().signal, dryRun: false },
  });
}

test("a consumer builds from the kernel that runs in prod, and moves with update", async () => {
  const published = path.join(temporaryDir(), "published");
  const [one, two] = ["first", "second"].map((text) => bzImage(Buffer.from(text.repeat(100)))) as [Buffer, Buffer];
  const platform = await platformProject({ publishes: { kernel: published } });
  const { dir, json, cli, refused, remote } = platform;
  expect((await refused("release", "new", "v0.1.0")).message).toContain("kernel has published nothing");
  await publish(published, { version: "0.1.0", kernel: one });

  const first = await json("release", "new", "v0.1.0");
  const [artifact] = first.release.artifacts;
  expect(artifact).toMatchObject({
    sha256: sha256(one),
    name: "kernel",
    repository: "kernel",
    version: "0.1.0",
    arch: "x86_64",
  });
  expect(first.release.artifacts).toHaveLength(1);
  expect((await refused("pull", "kernel", "--env", "prod")).message).toContain('nothing runs in "prod"');
  await promoteToProd(platform, "v0.1.0");
  const pulled = await json("pull", "kernel", "--env", "prod");
  expect(sha256(fs.readFileSync(pulled.artifacts[0].path))).toBe(artifact.sha256);
  expect(await refused("pull", "kernle", "--env", "prod")).toMatchObject({ code: "NAME_UNKNOWN" });

  const consumer = writeProject(
    `
name: iso
sources: { releases: { truthdb: { record: ${path.join(dir, "record")}, keys: [./release.pub] } } }
kernel: { from: release, release: truthdb, artifact: kernel, env: prod }
images: { efi: { kind: efi, initramfs: none, embed: none } }
`,
    { "release.pub": fs.readFileSync(path.join(dir, "keys/release.pub"), "utf8") },
  );
  const user = (...args: string[]) =>
    runCli(args, { cwd: consumer, store, env: { BOOTWRIGHT_DATA: path.join(consumer, "user") } });
  const built = async (): Promise<string> => {
    const { exit, stdout, stderr } = await user("build", "--json");
    expect(exit, stderr + stdout).toBe(0);
    return sha256(fs.readFileSync(path.join(consumer, "out/efi/EFI/BOOT/BOOTX64.EFI")));
  };
  expect(await built()).toBe(artifact.sha256);
  const lock = () => JSON.parse(fs.readFileSync(path.join(consumer, "bootwright.lock"), "utf8")).pins;
  expect(Object.values(lock())).toMatchObject([{ version: "v0.1.0", release: first.digest, sha256: artifact.sha256 }]);

  commit(remote("kernel"), "feat: second");
  await publish(published, { version: "0.1.1", kernel: two });
  const second = await json("release", "new", "v0.1.1");
  await promoteToProd(platform, "v0.1.1");
  expect(await built()).toBe(artifact.sha256);
  expect((await user("update")).stdout).toMatch(/^~ release x86_64 truthdb prod kernel: v0\.1\.0 .* → v0\.1\.1 /);
  expect(await built()).toBe(second.release.artifacts[0].sha256);
  expect(documentOf(await user("pull", "--release", "v0.1.0", "--json"))).toMatchObject({
    release: "v0.1.0",
    artifacts: [{ sha256: artifact.sha256 }],
  });

  // A web server that serves the record's directory is as good, to read.
  await using served = await serveDirectory(dir);
  fs.writeFileSync(
    path.join(consumer, "bootwright.yaml"),
    fs
      .readFileSync(path.join(consumer, "bootwright.yaml"), "utf8")
      .replace(path.join(dir, "record"), served.url("record")),
  );
  expect(documentOf(await user("pull", "--env", "prod", "--json"))).toMatchObject({ release: "v0.1.1" });
  expect((await user("pull", "--env", "prod", "--offline")).stderr).toContain("OFFLINE");

  await json("rollback", "prod");
  await user("update");
  expect(await built()).toBe(artifact.sha256);

  // What runs, or may be rolled back to, is kept by whoever publishes where it is known.
  const keeper = await withProject(consumer, { dataDir: path.join(consumer, "user") }, runningDigests);
  expect([...keeper].sort()).toEqual([sha256(one), sha256(two)].sort());

  const { places } = documentOf(await user("published", published, "--json"));
  expect(places[0].files).toMatchObject([
    { keptBy: ["test", "staging"] },
    { keptBy: ["before test", "before staging", "prod"] },
  ]);

  // What lies at the address is not believed.
  const files = path.join(published, "files");
  for (const name of fs.readdirSync(files)) {
    fs.chmodSync(path.join(files, name), 0o644);
    fs.writeFileSync(path.join(files, name), "x".repeat(fs.statSync(path.join(files, name)).size));
  }
  const other = await runCli(["pull", "--env", "prod"], { cwd: dir, store: temporaryDir() });
  expect([other.exit, other.stderr]).toEqual([7, expect.stringContaining("DIGEST_MISMATCH")]);

  // Neither is a record of others.
  const forged = await platformProject();
  await forged.json("release", "new", "v0.1.0");
  fs.cpSync(path.join(forged.dir, "record"), path.join(dir, "record"), { recursive: true, force: true });
  expect((await user("update")).stderr).toMatch(/RECORD_BROKEN.*signed with key/s);
  expect((await cli("status")).exit).toBe(7);
}, 180_000);
