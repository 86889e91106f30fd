import { expect, test } from "bootwright/test";

test.use({ machine: "vm" });

test("runs from a read-only root on the first virtio disk", async ({ machine }) => {
  await machine.console.waitFor(/microvm: ready/);
  const mounts = await machine.exec("busybox grep ' / ' /proc/mounts", { via: "console" });
  expect(mounts.stdout).toMatch(/^\/dev\/vda \/ erofs ro,/);
  const memory = await machine.exec("busybox head -n 1 /proc/meminfo", { via: "console" });
  expect(Number(/(\d+) kB/.exec(memory.stdout)?.[1])).toBeLessThan(128 * 1024);
});
