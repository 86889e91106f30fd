/** Modules signed with the project's key, in a kernel that asks for signatures: under Secure Boot Debian's takes the keys of db. */
import { expect, test } from "vitest";
import { booted, guestOutput } from "../support/booted.ts";
import { runCli } from "../support/cli.ts";
import { localProject } from "../support/local-project.ts";
import { buildProject, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: modules
kernels:
  ours: { from: debian, package: linux-image-cloud-amd64, signModules: db }
  strange: { from: debian, package: linux-image-cloud-amd64, signModules: other }
keys: { pk: { file: ./keys/pk }, kek: { file: ./keys/kek }, db: { file: ./keys/db }, other: { file: ./keys/other } }
initramfs: { init: busybox, kernel: ours, modules: [loop], from: [{ modules: [dummy], kernel: strange }] }
images:
  uki: { kind: uki, kernel: ours, cmdline: console=ttyS0 module.sig_enforce=1, sign: db }
machines:
  uki: { image: uki, secureBoot: true }
`;

test("a module of the project's key is loaded, one of a stranger's is refused", { timeout: 400_000 }, async () => {
  const dir = writeProject(CONFIG);
  expect(await runCli(["keys", "init"], { cwd: dir })).toMatchObject({ exit: 0 });
  const { uki } = await buildProject(dir);
  expect(uki).toBeDefined();
  await booted(dir, { name: "uki" }, async (machine) => {
    expect(await guestOutput(machine, "cat /proc/modules")).toMatch(/^loop /m);
    const { exit, stderr } = await machine.exec("insmod $(find /lib/modules -name 'dummy.ko')");
    expect(exit).not.toBe(0);
    expect(stderr).toMatch(/Required key not available|Key was rejected/);
    expect(await guestOutput(machine, "dmesg")).toMatch(/Loading of module with unavailable key is rejected|rejected/);
  });
});

test("a key that is not here, and a kernel that checks nothing, are said", async () => {
  const dir = writeProject(CONFIG.replace("images:", "image: { kind: cpio }\n#").split("#")[0]!);
  await expect(buildProject(dir)).rejects.toMatchObject({ code: "PATH_MISSING" });
  const unchecked = await localProject({
    "bootwright.yaml": `
name: unchecked
kernel: { from: file, image: ./vmlinuz, config: ./config, modules: ./modules, signModules: db }
keys: { db: { file: ./keys/db } }
initramfs: { init: busybox, busybox: ./busybox, modules: [loop] }
image: { kind: cpio }
`,
    config: "CONFIG_MODULES=y\n# CONFIG_MODULE_SIG is not set\n",
    "modules/modules.dep": "",
  });
  expect(await runCli(["keys", "init"], { cwd: unchecked })).toMatchObject({ exit: 0 });
  await expect(buildProject(unchecked)).rejects.toMatchObject({ code: "KCONFIG_INVALID" });
});
