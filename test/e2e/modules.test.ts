/** Modules of a packaged kernel in every way that the config can ask for them, each seen from inside the guest. */
import { execFileSync } from "node:child_process";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { Machine } from "../../src/vm/index.ts";
import { bootFiles, guestOutput } from "../support/booted.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, writeProject } from "../support/test-session.ts";

const PROJECT = `
name: modules
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees:
  few: { from: [{ modules: [virtio_net] }] }
  all: { from: [{ modules: all }] }
  firmware: { from: [{ firmware: [carl9170-1.fw, "cis/*"] }] }
initramfs:
  staged:
    init: busybox
    modules: { stage1: [virtio_blk], stage2: [virtio_net] }
    run: [/between]
    files: { /between: { content: "#!/bin/sh\\nlsmod >/run/between\\n", executable: true } }
  all: { init: busybox, modules: all }
  auto: { init: busybox, modules: auto }
images:
  staged: { kind: kernel, initramfs: staged, cmdline: console=ttyS0 quiet }
  all: { kind: kernel, initramfs: all, cmdline: console=ttyS0 quiet }
  auto: { kind: kernel, initramfs: auto, cmdline: console=ttyS0 quiet }
  few: { kind: tar, tree: few, compress: none }
  everything: { kind: tar, tree: all, compress: none }
  firmware: { kind: tar, tree: firmware, compress: none }
`;

/** What `find /sys/devices -name modalias` says of a virtual machine's disk. */
const DEVICES = "# a virtual machine\nvirtio:d00000002v00001AF4\n";

let files: Record<string, string> = {};

beforeAll(async () => {
  files = await buildProject(writeProject(PROJECT, { "devices.list": DEVICES }));
});

async function inGuest(image: string, body: (machine: Machine) => Promise<void>): Promise<void> {
  const kernel = path.join(files[image]!, "vmlinuz");
  const initrd = path.join(files[image]!, "initrd");
  const spec = { disks: [{ size: 8 * 1024 * 1024 }], network: { kind: "user", forwards: [] } } as const;
  await using machine = await bootFiles({ kind: "direct", kernel, initrd, cmdline: "console=ttyS0 quiet" }, spec);
  await machine.ready;
  await body(machine);
}

const loaded = async (machine: Machine, file = "/proc/modules") =>
  (await guestOutput(machine, `cat ${file}`)).split("\n").map((line) => line.split(" ")[0]!);

test("in two stages: the second one after the programs that run between them", () =>
  inGuest("staged", async (machine) => {
    const between = await loaded(machine, "/run/between");
    expect(between).toContain("virtio_blk");
    expect(between).not.toContain("virtio_net");
    expect(await loaded(machine)).toEqual(expect.arrayContaining(["virtio_blk", "virtio_net"]));
  }));

test("all: what the devices need is loaded, the rest is there to be loaded", () =>
  inGuest("all", async (machine) => {
    const modules = await loaded(machine);
    expect(modules).toEqual(expect.arrayContaining(["virtio_blk", "virtio_net"]));
    expect(modules).not.toContain("btrfs");
    await guestOutput(machine, "modprobe btrfs");
    expect(await loaded(machine)).toEqual(expect.arrayContaining(["btrfs", "xor"]));
  }));

test("auto: what a list of devices needs, and no more", () =>
  inGuest("auto", async (machine) => {
    const modules = await loaded(machine);
    expect(modules).toContain("virtio_blk");
    expect(modules).not.toContain("virtio_net");
    expect(await guestOutput(machine, "ls /lib/modules/*/kernel/drivers/block")).toBe("virtio_blk.ko\n");
  }));

const listed = (image: string) =>
  execFileSync("tar", ["-tf", files[image]!], { encoding: "utf8", maxBuffer: 2 ** 26 }).split("\n");

test("trees hold modules with what kmod reads to load them", () => {
  needProgram("tar", "tar");
  const few = listed("few");
  expect(
    few
      .filter((name) => name.endsWith(".ko"))
      .map((name) => path.basename(name))
      .sort(),
  ).toEqual([...["failover.ko", "net_failover.ko", "virtio.ko", "virtio_net.ko", "virtio_ring.ko"]]);
  for (const index of ["modules.dep.bin", "modules.alias.bin", "modules.builtin.bin"]) {
    expect(few.some((name) => name.endsWith(`/${index}`))).toBe(true);
    expect(listed("everything").some((name) => name.endsWith(`/${index}`))).toBe(true);
  }
  expect(listed("everything").filter((name) => name.endsWith(".ko")).length).toBeGreaterThan(200);
});

test("trees hold the firmware that is asked for", () => {
  const names = listed("firmware").filter((name) => !name.endsWith("/") && name !== "");
  expect(names).toContain("lib/firmware/carl9170-1.fw");
  expect(names.every((name) => /^lib\/firmware\/(carl9170-1\.fw|cis\/.+)$/.test(name))).toBe(true);
});
