import { expect, test } from "bootwright/test";

test.use({ machine: "generic" });

test("starts without firmware, and mounts what guests are made of", async ({ machine }) => {
  expect((await machine.exec("uname -r")).stdout).toMatch(/^6\.12\.\d+-generic\n$/);
  const known = (await machine.exec("cat /proc/filesystems")).stdout;
  for (const name of ["9p", "ext4", "tmpfs"]) expect(known).toContain(`\t${name}\n`);
});
