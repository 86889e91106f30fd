/** A disk with a root file system: firmware → UKI → initramfs → root partition, and the files in it are those of the tree. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { prepareMachine } from "../../src/api/machine.ts";
import { readGpt } from "../../src/formats/gpt-reader.ts";
import { openFileSource } from "../../src/store/blob-source.ts";
import { BUSYBOX_SYSTEM } from "../support/busybox-system.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, temporaryDir, testSession, withProject, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: appliance
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees:
  root:${BUSYBOX_SYSTEM}
      /mnt: { directory: true }
      /srv/private: { content: "secret", mode: "0600", uid: 1000, gid: 1000 }
initramfs:
  init: busybox
  root: true
  modules: [virtio_pci, virtio_blk]
images:
  uki: { kind: uki, cmdline: "console=ttyS0 quiet root=PARTLABEL=root" }
  disk: { kind: disk, esp: [uki], espSize: 64MiB, tree: root, data: { size: rest }, size: 192MiB }
machines:
  appliance: { image: disk, ready: "appliance is up" }
`;

const FILES = {
  "root/etc/start":
    "#!/bin/busybox sh\n/bin/busybox --install -s /bin 2>/dev/null\nmount -t ext4 LABEL=data /mnt || mount /dev/vda3 /mnt\necho appliance is up\n",
};

test("a disk boots into its root partition and mounts its data", { timeout: 240_000 }, async () => {
  const dir = writeProject(CONFIG, FILES);
  const { disk } = await buildProject(dir);
  checkFileSystems(disk!);
  await withProject(dir, {}, async (project) => {
    const prepared = await prepareMachine(project, { name: "appliance" });
    await using machine = await prepared.start({ signal: testSession(dir).signal, showConsole: false });
    await machine.ready;
    const { stdout } = await machine.exec(
      "grep -E ' (/|/mnt) ' /proc/mounts | cut -d' ' -f1-3; stat -c '%a %u:%g %s %n' /srv/private; cat /proc/1/comm",
      { via: "console" },
    );
    expect(stdout.trim().split(/\r?\n/)).toEqual([
      "/dev/vda2 / ext4",
      "/dev/vda3 /mnt ext4",
      "600 1000:1000 6 /srv/private",
      "init",
    ]);
  });
});

test("a root that is not there is said, with what is there", { timeout: 240_000 }, async () => {
  const dir = writeProject(CONFIG.replace("root=PARTLABEL=root", "root=PARTLABEL=rot rootdelay=1"), FILES);
  await withProject(dir, {}, async (project) => {
    const prepared = await prepareMachine(project, { name: "appliance" });
    await using machine = await prepared.start({ signal: testSession(dir).signal, showConsole: false });
    await machine.console.waitFor(/cannot find the root device PARTLABEL=rot[\s\S]*block devices: vda vda1 vda2 vda3/, {
      timeout: 120_000,
    });
  });
});

/** Each partition's file system on its own, to the program that knows it best. */
function checkFileSystems(disk: string): void {
  const e2fsck = needProgram("e2fsck", "e2fsprogs");
  using source = openFileSource(disk);
  const { partitions } = readGpt(source);
  expect(partitions.map(({ name }) => name)).toEqual(["ESP", "root", "data"]);
  for (const { name, offset, size } of partitions.slice(1)) {
    const file = path.join(temporaryDir(), name);
    fs.writeFileSync(file, source.read(offset, size));
    const check = spawnSync(e2fsck, ["-fn", file], { encoding: "utf8" });
    expect(check.stdout + check.stderr).not.toMatch(/fix|error|WARNING/i);
    expect(check.status).toBe(0);
  }
}
