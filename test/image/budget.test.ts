/** `budget` of images: what fits, what is past it by a byte, and what a build that fails for it says and leaves alone. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { buildImages } from "../../src/api/build.ts";
import { contentSize } from "../../src/api/image-contents.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { localProject } from "../support/local-project.ts";
import { withProject, writeProject } from "../support/test-session.ts";

const FILES = {
  "overlay/lib/firmware/acme/radio.bin": "r".repeat(400_000),
  "overlay/lib/firmware/acme/small.bin": "s".repeat(3000),
  "microcode/intel-ucode/06-01-01": "m".repeat(50_000),
  "root/opt/data": "d".repeat(300_000),
  "root/etc/hosts": "127.0.0.1 localhost\n",
};
const KINDS = ["uki", "direct", "tar", "oci", "disk", "qcow2", "iso"] as const;

/** Bytes by image. */
type Budgets = Partial<Record<(typeof KINDS)[number], number>>;

const config = (budgets: Budgets = {}): string => {
  const budget = (name: (typeof KINDS)[number]) => (budgets[name] === undefined ? "" : `, budget: "${budgets[name]}B"`);
  return `
name: budgets
kernel: { from: file, image: ./vmlinuz }
trees: { root: { from: [{ dir: ./root }] } }
initramfs: { init: busybox, busybox: ./busybox, microcode: ./microcode, from: [{ dir: ./overlay }] }
images:
  uki: { kind: uki, stub: ./stub${budget("uki")} }
  direct: { kind: kernel${budget("direct")} }
  tar: { kind: tar, tree: root${budget("tar")} }
  oci: { kind: oci, tree: root${budget("oci")} }
  disk: { kind: disk, esp: [uki, { file: ./stub, to: /tools/other.efi }], tree: root, data: {}${budget("disk")} }
  qcow2: { kind: disk, esp: [uki], espSize: 64MiB, tree: root, root: { fs: squashfs }, format: qcow2${budget("qcow2")} }
  iso: { kind: iso, boot: uki, payload: [tar]${budget("iso")} }
`;
};

/** Bytes of all files together. */
function sizeOf(file: string): number {
  const stat = fs.statSync(file);
  if (!stat.isDirectory()) return stat.size;
  return fs.readdirSync(file).reduce((sum, name) => sum + sizeOf(path.join(file, name)), 0);
}

const setConfig = (dir: string, budgets: Budgets) => writeProject(config(budgets), {}, dir);

test("an image at its budget is built, one byte less fails, and neither changes a key or costs a stage", async () => {
  const dir = await localProject({ ...FILES, "bootwright.yaml": config() });
  const keys = ({ stages }: { stages: readonly { stage: string; key: string }[] }) =>
    stages.map(({ stage, key }) => `${stage} ${key}`).sort();
  const { first, sizes } = await withProject(dir, {}, async (project) => {
    const { built, run } = await buildImages(project, { images: [] });
    // The length of a raw disk is what its config says: what counts is what was written into it.
    const measure = ({ image, artifact, file }: (typeof built)[number]): number =>
      image.name === "disk" ? contentSize(project.store, artifact) : sizeOf(file);
    return { first: keys(run), sizes: Object.fromEntries(built.map((one) => [one.image.name, measure(one)])) };
  });
  const disk = fs.statSync(path.join(dir, "out/disk.img"));
  expect(disk.size).toBeGreaterThan(2 ** 30);
  expect(sizes.disk).toBeGreaterThan(sizes.uki! + 300_000);
  expect(sizes.disk).toBeLessThan(disk.blocks * 512 + 2 ** 20);

  setConfig(dir, sizes);
  const again = await withProject(dir, {}, (project) => buildImages(project, { images: [] }));
  expect(again.run.ran).toBe(0);
  expect(keys(again.run)).toEqual(first);

  for (const name of KINDS) {
    setConfig(dir, { ...sizes, [name]: sizes[name]! - 1 });
    const { exit, stderr } = await runCli(["build", name], { cwd: dir });
    expect(stderr).toMatch(
      new RegExp(`✗ BUDGET_EXCEEDED +image ${name} holds .*; its budget is .* \\(1 B too much\\)`),
    );
    expect(stderr).not.toMatch(/: start \(/);
    expect({ name, exit }).toEqual({ name, exit: 8 });
  }
});

test("what takes the space is listed: parts, and files however deep they lie", async () => {
  const dir = await localProject({ ...FILES, "bootwright.yaml": config() });
  const listOf = async (name: (typeof KINDS)[number]): Promise<string> => {
    setConfig(dir, { [name]: 100 });
    const { error } = documentOf(await runCli(["build", name, "--json"], { cwd: dir }));
    expect(error).toMatchObject({ code: "BUDGET_EXCEEDED", message: expect.stringContaining(`image ${name} holds`) });
    return error.detail.replaceAll(/^ *[\d.]+ [KMG]?i?B {2}/gm, "  ");
  };
  const files = (...names: string[]) =>
    new RegExp(
      `the \\d+ largest files that went in, as they were before they were packed:\n([\\s\\S]*\n)?${names.map((name) => `  ${name}`).join("\n")}(\n|$)`,
    );

  const uki = await listOf("uki");
  expect(uki).toMatch(/^its largest parts:\n {2}\.linux\n {2}\.initrd\n/);
  expect(uki).toMatch(files("initramfs-default: /bin/busybox", "initramfs-default: /lib/firmware/acme/radio.bin"));
  expect(uki).toContain("\n  initramfs: /kernel/x86/microcode/GenuineIntel.bin\n");
  expect(uki).toContain("\n  initramfs-default: /lib/firmware/acme/small.bin");

  expect(await listOf("direct")).toMatch(/^its largest parts:\n {2}\/vmlinuz\n {2}\/initrd\n {2}\/cmdline\n/);
  expect(await listOf("tar")).toMatch(files("root: /opt/data", "root: /etc/hosts"));
  expect(await listOf("oci")).toMatch(/^its largest parts:\n {2}\/blobs\/sha256\/[0-9a-f]{64}\n/);
  expect(await listOf("disk")).toMatch(
    /^its largest parts:\n {2}ESP\/EFI\/BOOT\/BOOTX64\.EFI\n {2}root\n {2}ESP\/tools\/other\.efi\nthe /,
  );
  for (const name of ["disk", "qcow2", "iso"] as const) {
    const list = await listOf(name);
    expect(list).toMatch(files("initramfs-default: /lib/firmware/acme/radio.bin", "root: /opt/data"));
    expect(list).toContain("initramfs: /kernel/x86/microcode/GenuineIntel.bin");
  }
  expect(await listOf("iso")).toContain("\n  payload/tar.tar.zst\n");
});

test("out/ keeps what was there, and images that hold the large one, or publish it, fail with it", async () => {
  const dir = await localProject({ ...FILES, "bootwright.yaml": config() });
  const cli = (...args: string[]) => runCli(args, { cwd: dir });
  expect((await cli("build", "uki", "disk")).exit).toBe(0);
  const before = ["uki.efi", "disk.img"].map((name) => fs.statSync(path.join(dir, "out", name)).ino);

  const grown = "g".repeat(5_000_000);
  const publish =
    "keys: { catalog: { file: ./keys/catalog } }\npublish: { root: { image: disk, to: ./published, sign: catalog } }\n";
  const tight = config({ uki: 1000 }).replace("microcode", "compress: none, microcode");
  writeProject(tight + publish, { "overlay/lib/firmware/acme/grown.bin": grown }, dir);
  expect((await cli("keys", "init")).exit).toBe(0);
  for (const words of [["build", "disk"], ["build", "disk"], ["publish"]]) {
    const { exit, stderr } = await cli(...words);
    expect(stderr).toMatch(
      /image uki holds .*\n[\s\S]* 4\.8 MiB {2}initramfs-default: \/lib\/firmware\/acme\/grown\.bin\n/,
    );
    expect(exit).toBe(8);
  }
  expect(["uki.efi", "disk.img"].map((name) => fs.statSync(path.join(dir, "out", name)).ino)).toEqual(before);
  expect(fs.existsSync(path.join(dir, "published"))).toBe(false);
  expect((await cli("inspect", "uki:uki", "--size")).stdout).toContain("/.initrd/lib/firmware/acme/grown.bin");

  setConfig(dir, { uki: 1000, tar: 10 });
  const both = await cli("build", "uki", "tar");
  expect(both.stderr).toMatch(/2 images hold more than their budgets\n[\s\S]*image uki holds [\s\S]*image tar holds /);
});

test("a budget where the config itself says the size is refused", async () => {
  const dir = writeProject(`
name: fixed
trees: { root: {} }
images:
  ext4: { kind: ext4, tree: root, size: 10MiB, budget: 5M }
  esp: { kind: esp, contains: [{ file: ./x, to: /x }], size: 10MiB, budget: 5M }
  free: { kind: ext4, tree: root, budget: 5M }
`);
  const { exit, stderr } = await runCli(["build"], { cwd: dir });
  expect(exit).toBe(2);
  for (const name of ["ext4", "esp"])
    expect(stderr).toContain(`images.${name}.budget: \`size\` says already how large it is`);
  expect(stderr).not.toContain("images.free");
});
