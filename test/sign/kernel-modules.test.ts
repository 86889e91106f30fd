/** Modules signed with the project's key, in a kernel that asks for signatures: under Secure Boot Debian's takes the keys of db. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { booted, guestOutput } from "../support/booted.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { localProject } from "../support/local-project.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";
import { tinyElf } from "../support/tiny-elf.ts";

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

const tiny = (name: string): Buffer =>
  tinyElf({ sections: { ".modinfo": Buffer.from(`license=GPL\0name=${name}\0depends=\0`) } });

test("with the key elsewhere, modules first, then the image that holds them; the same bytes as with the key here", async () => {
  const dir = await localProject({
    "bootwright.yaml": `
name: apart
kernel: { from: file, image: ./vmlinuz, modules: ./modules, signModules: db }
keys: { db: { file: ./keys/db } }
initramfs: { init: busybox, busybox: ./busybox, modules: [one] }
images: { uki: { kind: uki, stub: ./stub, cmdline: console=ttyS0, sign: db } }
`,
    "modules/modules.dep": "",
  });
  for (const name of ["one", "two"]) fs.writeFileSync(path.join(dir, `modules/${name}.ko`), tiny(name));
  const ok = async (...words: string[]) => {
    const result = await runCli(words, { cwd: dir });
    expect(result.exit, result.stderr).toBe(0);
    return result;
  };
  await ok("keys", "init");
  await ok("build");
  const here = fs.readFileSync(path.join(dir, "out/uki.efi"));
  const vault = temporaryDir();
  fs.renameSync(path.join(dir, "keys/db.key"), path.join(vault, "db.key"));
  fs.copyFileSync(path.join(dir, "keys/db.crt"), path.join(vault, "db.crt"));

  expect((await ok("build")).stderr).toContain("not signed: 2 modules (key db)");
  const request = path.join(dir, "out/signing-request");
  expect(fs.readdirSync(path.join(request, "contents"))).toHaveLength(2);
  const shown = await runCli(["sign", request, "--keys", vault, "--dry-run"], { cwd: dir });
  expect(shown.stdout).toMatch(/would sign module one\.ko of apart/);
  await ok("sign", request, "--keys", vault);
  expect(documentOf(await ok("attach", request, "--json")).unsigned).toMatchObject([{ what: "uki uki" }]);
  await ok("sign", request, "--keys", vault);
  expect(documentOf(await ok("attach", request, "--json")).unsigned).toEqual([]);
  expect(fs.readFileSync(path.join(dir, "out/uki.efi")).equals(here)).toBe(true);
});

test("a kernel is not published before its modules are signed", async () => {
  const dir = await localProject({
    "bootwright.yaml": `
name: apart
kernel: { from: file, image: ./vmlinuz, config: ./config, modules: ./modules, signModules: db }
keys: { db: { file: ./keys/db }, catalog: { file: ./keys/catalog } }
catalogs: { kernels: { url: ./catalog, keys: [./keys/catalog.pub] } }
publish: { kernel: { bundle: default, name: apart, to: "catalog:kernels" } }
initramfs: { init: busybox, busybox: ./busybox }
image: { kind: cpio }
`,
    config: "CONFIG_MODULES=y\nCONFIG_MODULE_SIG=y\n",
    "modules/modules.dep": "",
  });
  fs.writeFileSync(path.join(dir, "modules/one.ko"), tiny("one"));
  const run = (...words: string[]) => runCli(words, { cwd: dir, env: { BOOTWRIGHT_DATA: path.join(dir, "data") } });
  const init = await run("keys", "init");
  expect(init.exit, init.stderr).toBe(0);
  const vault = temporaryDir();
  fs.renameSync(path.join(dir, "keys/db.key"), path.join(vault, "db.key"));
  fs.copyFileSync(path.join(dir, "keys/db.crt"), path.join(vault, "db.crt"));
  const refused = await run("kernel", "publish");
  expect(refused.exit).toBe(7);
  expect(refused.stderr).toMatch(/SIGNATURE_INVALID .*not signed, and so not published: 1 module \(key db\)/);
  expect(refused.stderr).toContain("bootwright sign out/signing-request");
  expect(fs.existsSync(path.join(dir, "catalog"))).toBe(false);
  for (const words of [
    ["sign", "out/signing-request", "--keys", vault],
    ["attach", "out/signing-request"],
  ])
    expect(await run(...words)).toMatchObject({ exit: 0 });
  const published = await run("kernel", "publish");
  expect(published.exit, published.stderr).toBe(0);
  expect(published.stdout).toMatch(/^published apart /);
});

test("a kernel that checks nothing is said", async () => {
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
