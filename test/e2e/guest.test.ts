/** What the config says about a guest is so in the guest. Each initramfs is compressed in another way. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { run } from "../../src/base/process.ts";
import { booted, guestOutput } from "../support/booted.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const project = (initramfs: string, files: Record<string, string> = {}) =>
  writeProject(
    `
name: guest
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs:
  init: busybox
${initramfs.trim().replaceAll(/^/gm, "  ")}
images: { guest: { kind: kernel, cmdline: console=ttyS0 quiet } }
`,
    files,
  );

test("xz: modules come with what they need, loaded in order; a built-in one counts as there", async () => {
  const dir = project("compress: xz\nmodules: [virtio_blk, virtio-net, squashfs, dm_verity, overlay, unix]");
  await booted(dir, {}, async (machine) => {
    const loaded = (await guestOutput(machine, "lsmod")).split("\n").map((line) => line.split(" ")[0]);
    // dm_mod and dm_bufio for dm_verity, net_failover and failover for virtio_net.
    const wanted = ["virtio_blk", "virtio_net", "net_failover", "failover", "squashfs", "dm_verity", "dm_mod"];
    expect(loaded).toEqual(expect.arrayContaining([...wanted, "overlay"]));
    const start = await guestOutput(machine, "cat /etc/init.d/rcS");
    const at = (name: string) => start.search(new RegExp(`insmod \\S*/${name}\\.ko`));
    expect(at("failover")).toBeLessThan(at("net_failover"));
    expect(at("net_failover")).toBeLessThan(at("virtio_net"));
    expect(machine.console.text).not.toContain("cannot load");
  });
});

test("an unknown module is an error that names the one that was meant", async () => {
  await expect(buildProject(project("modules: [virtio_blok, overlay]"))).rejects.toMatchObject({
    code: "MODULE_UNKNOWN",
    message: expect.stringContaining("virtio_blk"),
  });
});

test("lz4: services run and come back, `restart: never` ones do not; programs have run once, in order", async () => {
  const dir = project(`
compress: lz4
files:
  /etc/first: { content: "#!/bin/sh\\necho first >>/tmp/ran\\n", executable: true }
  /etc/second: { content: "#!/bin/sh\\necho second >>/tmp/ran\\n", executable: true }
run: [/etc/first, /etc/second]
services:
  sleeper: { exec: [/bin/sleep, "1000"] }
  once: { exec: [/bin/sh, -c, 'echo "$0" >>/tmp/ran', "it's once"], restart: never }
`);
  await booted(dir, {}, async (machine) => {
    expect(await guestOutput(machine, "sleep 1; cat /tmp/ran")).toBe("first\nsecond\nit's once\n");
    const pid = () => guestOutput(machine, "pidof sleep");
    const before = await pid();
    await guestOutput(machine, `kill -9 ${before}`);
    await expect.poll(() => machine.exec("pidof sleep"), { timeout: 10_000 }).toMatchObject({ exit: 0 });
    expect(await pid()).not.toBe(before);
    expect(await guestOutput(machine, "cat /tmp/ran")).toBe("first\nsecond\nit's once\n");
  });
});

test("gzip: microcode in front, host name, users, a directory, an archive with its links and modes, devices", async () => {
  const parts = temporaryDir();
  fs.mkdirSync(path.join(parts, "archive/srv"), { recursive: true });
  fs.writeFileSync(path.join(parts, "archive/srv/one"), "shared");
  fs.chmodSync(path.join(parts, "archive/srv/one"), 0o2750);
  fs.linkSync(path.join(parts, "archive/srv/one"), path.join(parts, "archive/srv/two"));
  await run([needProgram("tar", "tar"), "--owner=5", "--group=6", "-cf", "a.tar", "-C", "archive", "srv"], {
    cwd: parts,
  });
  const dir = project(
    `
compress: gzip
hostname: box-7
microcode: ./microcode
from: [{ dir: ./overlay }, { archive: ${JSON.stringify(path.join(parts, "a.tar"))} }]
users: { alice: { uid: 1234, password: none } }
files:
  /srv/full: { device: c 1 7, mode: "0622", uid: 7, gid: 8 }
  /srv/mine: { content: "x", mode: "4711", uid: 1234, gid: 1234 }
  /srv/link: { symlink: one }
permissions: { /srv: { mode: "0700" } }
`,
    { "microcode/amd-ucode/microcode_amd.bin": "not a real one", "overlay/opt/tool": "#!/bin/sh\necho works\n" },
  );
  await booted(dir, {}, async (machine) => {
    expect(await guestOutput(machine, "hostname")).toBe("box-7\n");
    expect(await guestOutput(machine, "/opt/tool")).toBe("works\n");
    expect(await guestOutput(machine, "cd /srv; stat -c '%n %A %u:%g %h' . full mine one two")).toBe(
      `
. drwx------ 5:6 2
full crw--w--w- 7:8 1
mine -rws--x--x 1234:1234 1
one -rwxr-s--- 5:6 2
two -rwxr-s--- 5:6 2
`.trimStart(),
    );
    expect(await guestOutput(machine, "cd /srv; [ one -ef two ] && readlink link && stat -c %t:%T full")).toBe(
      "one\n1:7\n",
    );
    expect((await machine.exec("echo x >/srv/full")).exit).not.toBe(0);
    expect(await guestOutput(machine, "cd /home/alice && stat -c %u . && su alice -c id")).toMatch(/^1234\nuid=1234/);
  });
  // An uncompressed archive with nothing but the microcode comes first, where the kernel looks for it.
  const initrd = fs.readFileSync(path.join(dir, "out/guest/initrd"));
  expect(initrd.indexOf("070701")).toBe(0);
  expect(initrd.indexOf("kernel/x86/microcode/AuthenticAMD.bin")).toBeLessThan(initrd.indexOf("TRAILER!!!"));
  expect(initrd.indexOf(Buffer.from([0x1f, 0x8b]))).toBeGreaterThan(initrd.indexOf("TRAILER!!!"));
});

test("none: a login prompt lets a user without a password in, and no other", async () => {
  const dir = project(
    "compress: none\nconsole: login\nusers: { root: { password: locked }, guest: { password: none } }",
  );
  await booted(dir, {}, async (machine) => {
    await machine.console.waitFor(/login: $/m);
    machine.type("root\n");
    await machine.console.waitFor(/Password: /);
    machine.type("\n");
    // BusyBox cannot check a locked password, says so and ends; a new prompt comes.
    await machine.console.waitFor(/(incorrect|bad salt).*login: $/s, { timeout: 20_000 });
    machine.type("guest\n");
    await machine.console.waitFor(/\$ $/);
    machine.type("echo I am $(id -un) on $(tty)\n");
    await machine.console.waitFor(/^I am guest on \/dev\//m);
  });
});

test("without the agent, commands go through the shell on the console", async () => {
  await booted(project("agent: false\ncompress: { kind: zstd, level: 19 }"), {}, async (machine) => {
    expect(await machine.exec("cat /proc/1/comm; ls /usr/lib/bootwright; exit 3")).toMatchObject({
      exit: 3,
      stdout: expect.stringMatching(/^init\n.*No such file/s),
    });
  });
});
