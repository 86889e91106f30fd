/** Every kind of artifact is booted (design §7.1), in each of the three ways to have an initramfs: embedded, beside, none. */
import fs from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { decodePng, type Machine } from "../../src/vm/index.ts";
import { booted, bootFiles, guestOutput } from "../support/booted.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const PROJECT = `
name: kinds
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox, files: { /etc/motd: embedded } }
images:
  uki: { kind: uki, cmdline: console=ttyS0 quiet first }
  second: { kind: uki, cmdline: console=ttyS0 quiet second }
  efi: { kind: efi, cmdline: console=ttyS0 quiet efi }
  beside: { kind: efi, embed: none, cmdline: console=ttyS0 quiet beside }
  no-initramfs: { kind: efi, embed: none, initramfs: none, cmdline: console=ttyS0 }
  lone-kernel: { kind: efi, embed: none, initramfs: none }
  esp: { kind: esp, contains: [uki, second, { file: ./readme, to: DOCS/readme.txt }] }
  esp-dir: { kind: esp, contains: [efi], format: directory }
  direct: { kind: kernel, cmdline: console=ttyS0 quiet direct }
  picture: { kind: kernel, cmdline: console=tty0 console=ttyS0 }
  no-init: { kind: kernel, cmdline: console=ttyS0 rdinit=/not-there }
`;

let dir = "";
let files: Record<string, string> = {};

beforeAll(async () => {
  dir = writeProject(PROJECT, { readme: "hello\n" });
  files = await buildProject(dir);
});

const readyUnderUefi = async (machine: Machine, word: string) => {
  await machine.ready;
  expect(await guestOutput(machine, "test -d /sys/firmware/efi && cat /proc/cmdline")).toMatch(
    new RegExp(`\\b${word}\\n$`),
  );
  expect(await guestOutput(machine, "cat /etc/motd")).toBe("embedded");
};

describe("under UEFI", () => {
  test("an ESP image with two UKIs: the first is started, the second lies beside it", async () => {
    await using machine = await bootFiles({ kind: "uefi", medium: { kind: "image", path: files.esp! } });
    await readyUnderUefi(machine, "first");
  });

  test("one UKI", () =>
    booted(dir, { name: "second", firmware: "uefi" }, (machine) => readyUnderUefi(machine, "second")));

  test("an ESP directory with BOOTX64.EFI, kernel and initramfs in it", async () => {
    expect(fs.readdirSync(path.join(files["esp-dir"]!, "EFI/BOOT"))).toEqual(["BOOTX64.EFI"]);
    await using machine = await bootFiles({ kind: "uefi", medium: { kind: "directory", path: files["esp-dir"]! } });
    await readyUnderUefi(machine, "efi");
  });

  test("a kernel with its initramfs and command line beside it", async () => {
    await using machine = await bootFiles({ kind: "uefi", medium: { kind: "directory", path: files.beside! } });
    await readyUnderUefi(machine, "beside");
  });

  test("a kernel without an initramfs looks for a disk, and says that there is none", async () => {
    await using machine = await bootFiles({
      kind: "uefi",
      medium: { kind: "directory", path: files["no-initramfs"]! },
    });
    await expect(machine.ready).rejects.toMatchObject({
      code: "GUEST_PANIC",
      detail: expect.stringContaining("Unable to mount root fs"),
    });
  });

  test("a kernel alone, as BOOTX64.EFI: it fills the screen with its log", async () => {
    expect(fs.readdirSync(files["lone-kernel"]!)).toEqual(["EFI"]);
    await using machine = await bootFiles(
      { kind: "uefi", medium: { kind: "directory", path: files["lone-kernel"]! } },
      { ready: /BdsDxe: starting/ },
    );
    await machine.ready;
    await expect
      .poll(async () => linesWithText(await machine.screen.png()), { timeout: 60_000, interval: 500 })
      .toBeGreaterThan(0.5);
  });
});

describe("without firmware", () => {
  test("the files of a kernel directory", async () => {
    expect(fs.readdirSync(files.direct!).sort()).toEqual(["cmdline", "initrd", "vmlinuz"]);
    await using machine = await bootFiles({
      kind: "direct",
      kernel: path.join(files.direct!, "vmlinuz"),
      initrd: path.join(files.direct!, "initrd"),
      cmdline: fs.readFileSync(path.join(files.direct!, "cmdline"), "utf8").trim(),
    });
    await machine.ready;
    expect(await guestOutput(machine, "cat /proc/cmdline")).toContain("direct");
  });

  test("a microvm, from the command line; the guest command's exit code is the program's", async () => {
    const boot = ["boot", "direct", "--firmware=microvm", "--memory", "256MiB", "--disk", "8MiB"];
    const result = await runCli([...boot, "--", "sh", "-c", "cat /etc/motd; echo oops >&2; exit 7"], { cwd: dir });
    expect(result).toMatchObject({ exit: 7, stdout: "embedded" });
    expect(result.stderr).toContain("oops\n");
  });

  test("a screen with a picture, from the command line", async () => {
    const out = temporaryDir();
    const args = ["boot", "picture", "--wait", "--json", "--serial-file", "serial.txt", "--screenshot", "screen.png"];
    const result = await runCli(args, { cwd: out, env: { BOOTWRIGHT_CONFIG: path.join(dir, "bootwright.yaml") } });
    expect(result.exit, result.stderr).toBe(0);
    expect(documentOf(result)).toMatchObject({ schema: "bootwright.boot/1", ok: true, firmware: "direct" });
    expect(linesWithText(fs.readFileSync(path.join(out, "screen.png")))).toBeGreaterThan(0);
    expect(fs.readFileSync(path.join(out, "serial.txt"), "utf8")).toContain("Linux version");
  });

  test("a panic: exit code 9, the cause, and the last lines of the console", async () => {
    const result = await runCli(["boot", "no-init", "--wait", "--json"], { cwd: dir });
    expect(result.exit).toBe(9);
    expect(documentOf(result)).toMatchObject({
      ok: false,
      error: {
        code: "GUEST_PANIC",
        message: expect.stringContaining("neither an initramfs with /init nor a root file system"),
        detail: expect.stringContaining("Kernel panic"),
      },
    });
    expect(result.stderr).toMatch(/GUEST_PANIC.*Kernel panic/s);
  });
});

/** Which part of a picture's rows has something bright in it. */
function linesWithText(png: Buffer): number {
  const { width, height, rgba } = decodePng(png);
  const isBright = (row: number) =>
    rgba.subarray(row * width * 4, (row + 1) * width * 4).some((value, i) => i % 4 !== 3 && value > 100);
  return Array.from({ length: height }, (_, row) => isBright(row)).filter(Boolean).length / height;
}
