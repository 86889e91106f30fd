import { expect, test } from "vitest";
import { diagnose, isFatal } from "./diagnose.ts";

// Lines as kernels, firmware and BusyBox write them.
test.each([
  [
    "no-init",
    "[    1.2] Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.",
    true,
  ],
  ["no-init", "[    1.2] Failed to execute /init (error -2)", true],
  ["no-root", '[    1.26] VFS: Cannot open root device "vda" or unknown-block(0,0): error -6', true],
  ["no-root", "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)", true],
  ["init-died", "[    2.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100", true],
  ["panic", "[    2.1] Kernel panic - not syncing: Fatal exception in interrupt", true],
  ["out-of-memory", "[    9.1] Out of memory: Killed process 71 (tar) total-vm:1kB", false],
  ["initramfs-damaged", "[    0.9] Initramfs unpacking failed: write error", false],
  ["initramfs-damaged", "[    0.9] Initramfs unpacking failed: junk within compressed archive", false],
  ["emergency-shell", "You are in emergency mode. After logging in, type", false],
  ["emergency-shell", "BusyBox v1.35.0 built-in shell\n(initramfs) ", false],
  ["no-bootable-device", "BdsDxe: No bootable option or device was found.", true],
  ["no-bootable-device", "UEFI Interactive Shell v2.2", true],
  ["secure-boot-denied", 'BdsDxe: failed to load Boot0001 "UEFI Misc Device" from PciRoot(0x0): Access Denied', true],
  ["module-missing", "modprobe: can't load module virtio_net: No such file", false],
  ["module-missing", "insmod: can't insert '/lib/x.ko': unknown symbol in module", false],
  ["segfault", "[    3.3] hello[77]: segfault at 0 ip 0000 sp 0000 error 4", false],
])("%s: %s", (id, line, fatal) => {
  const diagnosis = diagnose(`before\r\n\u001b[1m${line}\u001b[0m\r\nafter`);
  expect(diagnosis?.id).toBe(id);
  expect(diagnosis?.fatal).toBe(fatal);
  expect(isFatal(line)).toBe(fatal);
});

test("the cause wins over what it led to", () => {
  const log = `
[    0.9] Initramfs unpacking failed: invalid magic at start of compressed archive
[    1.2] VFS: Cannot open root device "(null)" or unknown-block(0,0): error -6
[    1.2] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)`;
  expect(diagnose(log)?.cause).toBe(
    "the kernel could not unpack the initramfs (invalid magic at start of compressed archive: it is damaged or not an initramfs)",
  );
});

test("how init ended is said in words", () => {
  expect(diagnose("Attempted to kill init! exitcode=0x00000200")?.cause).toContain("(exit code 2)");
  expect(diagnose("Attempted to kill init! exitcode=0x0000000b")?.cause).toContain("(signal 11)");
});

test("an ordinary boot has no diagnosis", () => {
  expect(diagnose("Linux version 6.1\nRun /init as init process\nhello\nlogin: ")).toBeUndefined();
});
