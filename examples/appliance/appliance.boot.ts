import { expect, test } from "bootwright/test";

test.use({ machine: "appliance" });

test("boots from its disk, root read-only, data writable", async ({ machine }) => {
  await machine.console.waitFor(/appliance: ready, boot 1/);
  const mounts = await machine.exec("busybox grep ' ext4 ' /proc/mounts | busybox cut -d' ' -f1-4", { via: "console" });
  expect(mounts.stdout).toMatch(/^\/dev\/vda2 \/ ext4 ro,/);
  expect(mounts.stdout).toMatch(/^\/dev\/vda3 \/mnt ext4 rw,/m);
  const owner = await machine.exec("busybox stat -c %U /home/app", { via: "console" });
  expect(owner.stdout.trim()).toBe("app");
});
