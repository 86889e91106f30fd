import { expect, test } from "bootwright/test";

test.use({ machine: "host", timeout: 400_000 });

test("starts under Secure Boot from slot a, with root, modules and firmware opened by their hashes", async ({
  machine,
}) => {
  await machine.console.waitFor(/slot a runs: initos 1\.0, release 1/, { timeout: 300_000 });
  const text = machine.console.text;
  expect(text).toContain("verity: host on /dev/vda3 is opened by its root hash (slot a)");
  expect(text).toContain("verity: modules on /dev/vda5 is opened by its root hash (slot a)");
  expect(text).toContain("verity: firmware on /dev/vda7 is opened by its root hash (slot a)");
  const log = await machine.exec("dmesg | grep -c 'secureboot: Secure boot enabled'", { via: "console" });
  expect(log.stdout.trim()).toBe("1");
});
