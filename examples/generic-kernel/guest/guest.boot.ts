import { expect, test } from "bootwright/test";

test.use({ machine: "guest" });

test("the kernel of the catalog mounts the root by itself", async ({ machine }) => {
  await machine.console.waitFor(/guest: ready/);
  const release = await machine.exec("busybox uname -r", { via: "console" });
  expect(release.stdout).toMatch(/^6\.12\.\d+-generic/);
  const mounts = await machine.exec("busybox grep ' / ' /proc/mounts", { via: "console" });
  expect(mounts.stdout).toMatch(/^\/dev\/root \/ ext4 rw,/m);
});
