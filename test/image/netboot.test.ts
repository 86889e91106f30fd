/** A network boot: OVMF gets an address and the boot file's name by DHCP, fetches it by TFTP, and starts it. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { booted } from "../support/booted.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: netboot
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees: { root: { files: { "/etc/motd": "hello\\n" } } }
initramfs: { init: busybox }
images:
  uki: { kind: uki, cmdline: console=ttyS0 quiet }
  net: { kind: pxe, boot: uki }
  tar: { kind: tar, tree: root }
  sums: { kind: sha256sums }
`;

test("firmware boots it from the network", { timeout: 300_000 }, async () => {
  await booted(writeProject(CONFIG), { name: "net" }, async (machine, prepared) => {
    expect(prepared.firmware).toBe("uefi");
    expect(machine.console.text).toMatch(/PXE over IPv4/);
    const { stdout } = await machine.exec(
      "ls /sys/firmware/efi | grep -c '^runtime$'; ls /sys/block | grep -c vd; cat /proc/cmdline",
    );
    expect(stdout).toMatch(/^1\n0\nconsole=ttyS0 quiet/);
  });
});

test("the directory has what loaders ask for; sha256sum agrees with the list", async () => {
  const dir = writeProject(CONFIG);
  const built = await buildProject(dir);
  const read = (name: string) => fs.readFileSync(path.join(built.net!, name), "utf8");
  expect(fs.readdirSync(built.net!).sort()).toEqual(["boot.ipxe", "bootx64.efi", "initrd", "pxelinux.cfg", "vmlinuz"]);
  expect(fs.readFileSync(path.join(built.net!, "bootx64.efi")).equals(fs.readFileSync(built.uki!))).toBe(true);
  expect(read("boot.ipxe").split("\n")).toEqual([
    "#!ipxe",
    "echo netboot",
    "kernel vmlinuz initrd=initrd console=ttyS0 quiet",
    "initrd initrd",
    "boot",
    "",
  ]);
  expect(read("pxelinux.cfg/default")).toContain("KERNEL vmlinuz\n  INITRD initrd\n  APPEND console=ttyS0 quiet\n");

  const out = path.dirname(built.sums!);
  const check = spawnSync(needProgram("sha256sum", "coreutils"), ["--strict", "-c", "SHA256SUMS"], {
    cwd: out,
    encoding: "utf8",
  });
  expect([check.status, check.stderr]).toEqual([0, ""]);
  expect(
    check.stdout
      .trim()
      .split("\n")
      .map((line) => line.replace(": OK", "")),
  ).toEqual([
    "net/boot.ipxe",
    "net/bootx64.efi",
    "net/initrd",
    "net/pxelinux.cfg/default",
    "net/vmlinuz",
    "tar.tar.zst",
    "uki.efi",
  ]);
  const again = await buildProject(writeProject(CONFIG), { storeDir: temporaryDir() });
  expect(fs.readFileSync(again.sums!, "utf8")).toBe(fs.readFileSync(built.sums!, "utf8"));
});
