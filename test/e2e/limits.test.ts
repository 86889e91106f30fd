/** A full disk and a missing permission: exit code 6, said clearly, and nothing is lost. */
import fs from "node:fs";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type CliResult, documentOf, runCli } from "../support/cli.ts";
import { localProject } from "../support/local-project.ts";
import { needProgram } from "../support/need-program.ts";
import { type SmallDisk, smallDisk } from "../support/small-disk.ts";
import { temporaryDir } from "../support/test-session.ts";

const MIB = 1024 * 1024;

test("a full disk under the store, whenever it gets full", async () => {
  const disk = await smallDisk(160 * MIB);
  const dir = await localProject();
  const build = () => buildIn(disk, { dir, store: path.join(disk.dir, "store") });
  const good = digestsOf(await build());
  const outputs = contents(dir);
  // From a disk that takes nothing to one that takes all but the last artifact.
  for (const [round, free] of [0, 8 * 1024, 200 * 1024, 3 * MIB, 12 * MIB, 24 * MIB].entries()) {
    fs.writeFileSync(path.join(dir, "motd"), `another text ${round}\n`);
    disk.fill(free);
    expectDiskFull(await build());
    expect(contents(dir)).toEqual(outputs);
    disk.clear();
    const verified = await runCli(["store", "verify"], {
      ...{ cwd: dir, wrapper: disk.enter, store: path.join(disk.dir, "store") },
    });
    expect(verified).toMatchObject({ exit: 0, stderr: "" });
  }
  fs.writeFileSync(path.join(dir, "motd"), "hello\n");
  expect(digestsOf(await build())).toEqual(good);
});

test("a full disk under out/", async () => {
  const disk = await smallDisk(120 * MIB);
  const dir = path.join(disk.dir, "project");
  const outside = await localProject({}, path.join(disk.outside, "project"));
  const build = () => buildIn(disk, { dir, store });
  const store = temporaryDir();
  const good = digestsOf(await build());
  const outputs = contents(outside);
  fs.writeFileSync(path.join(outside, "motd"), "another text\n");
  for (const free of [64 * 1024, 10 * MIB]) {
    disk.fill(free);
    expectDiskFull(await build());
    expect(contents(outside)).toEqual(outputs);
    expect(fs.readdirSync(path.join(outside, "out")).filter((name) => name.startsWith(".tmp-"))).toEqual([]);
    disk.clear();
  }
  expect(digestsOf(await build())).not.toEqual(good);
  fs.writeFileSync(path.join(outside, "motd"), "hello\n");
  expect(digestsOf(await build())).toEqual(good);
  expect(contents(outside)).toEqual(outputs);
});

test.each(["store", "store/tmp", "out"])("no permission to write: %s", async (what) => {
  const dir = await localProject();
  const store = path.join(dir, "store");
  const build = () => runCli(["build", "--json"], { cwd: dir, store, wrapper: somebodyElse() });
  const good = digestsOf(await build());
  const outputs = contents(dir);
  fs.writeFileSync(path.join(dir, "motd"), "another text\n");
  const closed = path.join(dir, what);
  fs.chmodSync(closed, 0o555);
  onTestFinished(() => fs.chmodSync(closed, 0o755));
  if (what === "store") fs.chmodSync(path.join(store, "index.sqlite"), 0o444);

  const refused = await build();
  expect(refused.exit, refused.stdout).toBe(6);
  expect(documentOf(refused).error).toMatchObject({
    code: "ACCESS_DENIED",
    message: expect.stringContaining(closed),
  });
  expect(contents(dir)).toEqual(outputs);

  fs.chmodSync(closed, 0o755);
  if (what === "store") fs.chmodSync(path.join(store, "index.sqlite"), 0o644);
  fs.writeFileSync(path.join(dir, "motd"), "hello\n");
  expect(digestsOf(await build())).toEqual(good);
});

test("no permission to read an input", async () => {
  const dir = await localProject({
    "bootwright.yaml": `name: x
images: { x: { kind: cpio } }
initramfs: { init: none, files: { /a: { file: ./secret } } }
`,
  });
  const build = () => runCli(["build", "--json"], { cwd: dir, wrapper: somebodyElse() });
  fs.writeFileSync(path.join(dir, "secret"), "x", { mode: 0 });
  const refused = await build();
  expect(refused.exit).toBe(6);
  expect(documentOf(refused).error).toMatchObject({
    code: "ACCESS_DENIED",
    message: expect.stringContaining("secret"),
  });
});

/** Root ignores permissions; in a user namespace where it is somebody else it does not. */
const somebodyElse = (): string[] => [
  ...[needProgram("unshare", "util-linux"), "--user", "--map-user=4711", "--map-group=4711", "--"],
];

const buildIn = (disk: SmallDisk, { dir, store }: { dir: string; store: string }) =>
  runCli(["build", "--json", "-C", dir], { cwd: "/", store, wrapper: disk.enter });

function expectDiskFull(result: CliResult): void {
  expect(result.exit, `${result.stdout}${result.stderr}`).toBe(6);
  const { error } = documentOf(result);
  expect(error).toMatchObject({
    code: "DISK_FULL",
    message: expect.stringMatching(/no space left/),
    hint: expect.stringContaining("bootwright store gc"),
  });
  expect(result.stderr).toContain("DISK_FULL");
}

function digestsOf(result: CliResult): string[] {
  expect(result.exit, result.stderr).toBe(0);
  return documentOf(result).images.map((image: { digest: string }) => image.digest);
}

/** What lies in out/, by name. */
const contents = (dir: string): Record<string, string> =>
  Object.fromEntries(
    ["uki.efi", "esp.img", "direct/vmlinuz", "direct/initrd", "direct/cmdline"].map((name) => [
      name,
      fs
        .readFileSync(path.join(dir, "out", name))
        .toString("latin1")
        .slice(-20_000),
    ]),
  );
