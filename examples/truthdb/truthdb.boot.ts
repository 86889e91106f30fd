import { expect, test } from "bootwright/test";

test("firmware starts the kernel itself, and the installer paints", { machine: "hardware" }, async ({ machine }) => {
  await machine.console.waitFor(/truthdb: painted \d+x\d+/);
  await expect(machine.screen).toMatch("installer.png");
  expect((await machine.exec("uname -r")).stdout).toMatch(/^6\.12\.\d+-truthdb\n$/);
  expect((await machine.exec("test -d /sys/firmware/efi")).exit).toBe(0);
  expect((await machine.exec("cat /proc/cmdline")).stdout).toMatch(/^console=ttyS0 quiet/);
});

test("a UKI of the same kernel and initramfs shows the same", { machine: "workshop" }, async ({ machine }) => {
  await machine.console.waitFor(/truthdb: painted/);
  await expect(machine.screen).toMatch("installer.png");
});
