/** systemd-boot's menu on a disk: what starts by itself, what is counted and given up, and what is started once. */
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { type ByteSource, sourceOfBytes } from "../../src/formats/byte-source.ts";
import { readFat } from "../../src/formats/fat-reader.ts";
import type { Machine } from "../../src/vm/index.ts";
import { booted, bootFiles, guestOutput } from "../support/booted.ts";
import { runCli } from "../support/cli.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: menus
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox, modules: [efivarfs] }
images:
  host: { kind: uki, title: The host, sortKey: 0-host, cmdline: console=ttyS0 who=host panic=1 rdinit=/missing }
  good: { kind: uki, cmdline: console=ttyS0 who=good }
  rescue: { kind: uki, cmdline: console=ttyS0 who=rescue }
  disk: { kind: disk, esp: [host, good, rescue], espSize: 128MiB, menu: { timeout: 0, tries: 2 } }
  esp: { kind: esp, contains: [host, rescue, good], menu: { default: good, timeout: 1, tries: { host: 3 } } }
`;

const DISK = CONFIG.split("\n  esp:")[0]!;

const filesOf = (source: ByteSource): string[] =>
  readFat(source)
    .entries.filter(({ type }) => type === "file")
    .map((entry) => entry.path)
    .sort();

/** The first partition's files. */
const espOf = (disk: string): string[] => {
  const bytes = fs.readFileSync(disk);
  return filesOf(sourceOfBytes(bytes.subarray(1024 ** 2, 1024 ** 2 + 128 * 1024 ** 2)));
};

/** Firmware of its own, with the disk as a drive that keeps what is written to it. */
const bootDisk = (disk: string): Promise<Machine> =>
  bootFiles(
    { kind: "uefi", medium: { kind: "directory", path: temporaryDir() } },
    {
      onReboot: "restart",
      extraArgs: [
        ...["-drive", `if=none,id=own,format=raw,file=${disk}`],
        ...["-device", "virtio-blk-pci,drive=own,bootindex=1"],
      ],
    },
  );

async function until(machine: Machine, pattern: RegExp): Promise<void> {
  for (let waited = 0; !pattern.test(machine.console.text); waited++) {
    if (waited > 240) throw new Error(`never said ${pattern}:\n${machine.console.text.slice(-3000)}`);
    await sleep(500);
  }
}

/** Which entries' kernels started, in order. */
const started = (machine: Machine): string[] =>
  [...machine.console.text.matchAll(/Kernel command line: .*who=(\w+)/g)].map(([, who]) => who!);

test("an entry that fails is given up after its tries; one is started once", { timeout: 400_000 }, async () => {
  const dir = writeProject(`${DISK}\n`);
  const { disk: built } = await buildProject(dir);
  expect(espOf(built!)).toEqual([
    ...["EFI/BOOT/BOOTX64.EFI", "EFI/Linux/good.efi", "EFI/Linux/host+2.efi", "EFI/Linux/rescue.efi"],
    "loader/loader.conf",
  ]);
  const disk = path.join(temporaryDir(), "disk.img");
  fs.copyFileSync(built!, disk);

  {
    await using machine = await bootDisk(disk);
    machine.ready.catch(() => {}); // The panics of the entry that fails.
    await until(machine, /who=good[\s\S]*\/ # /);
    expect(started(machine), machine.console.text).toEqual(["host", "host", "good"]);
  }
  expect(espOf(disk)).toContain("EFI/Linux/host+0-2.efi");

  // What is given up stays so. What `bootctl set-oneshot rescue.efi` writes: attributes, then the name in UTF-16.
  await using machine = await bootDisk(disk);
  await until(machine, /who=good[\s\S]*\/ # /);
  const name = Buffer.from("rescue.efi\0", "utf16le").toString("hex").replaceAll(/../g, "\\x$&");
  const variable = "/v/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
  machine.type(`mkdir /v; mount -t efivarfs none /v; printf '\\x07\\0\\0\\0${name}' >${variable}; reboot -f\n`);
  await until(machine, /who=rescue[\s\S]*\/ # /);
  machine.type("reboot -f\n");
  await until(machine, /who=rescue[\s\S]*who=good[\s\S]*\/ # /);
  expect(started(machine)).toEqual(["good", "rescue", "good"]);
});

test("the default entry starts, others stand in the menu under their titles", { timeout: 240_000 }, async () => {
  const dir = writeProject(CONFIG);
  const { esp } = await buildProject(dir);
  expect(filesOf(sourceOfBytes(fs.readFileSync(esp!)))).toContain("EFI/Linux/host+3.efi");
  await booted(dir, { name: "esp" }, async (machine) => {
    expect(await guestOutput(machine, "cat /proc/cmdline")).toContain("who=good");
    // Strips what moves the cursor.
    expect(machine.console.text).toMatch(/The host[\s\S]*menus[\s\S]*good\.efi/);
  });
});

test.each([
  ["{ default: gone }", 'no image is named "gone"'],
  ["{ default: other }", '"other" is not in `esp` of this image: host, rescue'],
  ["{ tries: { hots: 3 } }", '"hots" is not in `esp` of this image: host, rescue'],
  ["{ tries: 0 }", "expected at least 1"],
  ["{ tries: 3 }, layout: ab", 'on a disk with layout "ab" nothing is counted'],
  ["{ default: rescue, tries: 3 }", 'that is "host"; give the image "rescue" a smaller one: sortKey: "0-rescue"'],
])("a menu %s says what is wrong", async (menu, message) => {
  const images = `images: { host: { kind: uki }, rescue: { kind: uki }, other: { kind: uki }, disk: { kind: disk, esp: [host, rescue], menu: ${menu} } }`;
  const dir = writeProject(`${DISK.split("images:")[0]}${images}\n`);
  const { exit, stderr } = await runCli(["plan"], { cwd: dir });
  expect(exit).toBe(2);
  expect(stderr).toContain(message);
});
