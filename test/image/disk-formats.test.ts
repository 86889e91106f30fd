/** Disks in hypervisors' formats with read-only roots and further partitions: QEMU boots each, and qemu-img finds it whole. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { readGpt } from "../../src/formats/gpt-reader.ts";
import { partitionType } from "../../src/formats/partition-types.ts";
import { openFileSource } from "../../src/store/blob-source.ts";
import { hashFile } from "../../src/store/blobs.ts";
import { booted } from "../support/booted.ts";
import { BUSYBOX_SYSTEM } from "../support/busybox-system.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: formats
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees:
  root:${BUSYBOX_SYSTEM}
      /srv/private: { content: "secret", mode: "0600", uid: 1000, gid: 1000 }
initramfs: { init: busybox, root: true, modules: [virtio_pci, virtio_blk, erofs, squashfs] }
images:
  uki: { kind: uki, cmdline: "console=ttyS0 quiet root=PARTLABEL=root" }
  slot: { kind: erofs, tree: root, label: slot }
  qcow2: { kind: disk, esp: [uki], espSize: 64MiB, tree: root, format: qcow2, sectorSize: 4096 }
  vhd: { kind: disk, esp: [uki], espSize: 64MiB, tree: root, root: { fs: erofs }, format: vhd }
  vmdk:
    kind: disk
    esp: [uki]
    espSize: 64MiB
    tree: root
    root: { fs: squashfs, size: 32MiB }
    format: vmdk
    partitions:
      root-verity: { type: root-verity, size: 8MiB }
      root-b: { type: root, image: slot, size: rest }
      own: { type: 12345678-9abc-def0-1234-56789abcdef0, size: 1MiB }
    data: { size: 16MiB }
    size: 256MiB
`;
const FILES = {
  "root/etc/start": "#!/bin/busybox sh\n/bin/busybox --install -s /bin 2>/dev/null\necho system is up\n",
};
const FORMATS = { qcow2: "qcow2", vhd: "vpc", vmdk: "vmdk" } as const;
const FILE_SYSTEMS = { qcow2: "ext4", vhd: "erofs", vmdk: "squashfs" } as const;

const imageTool = (args: readonly string[]) =>
  spawnSync(needProgram("qemu-img", "qemu-utils"), args, { encoding: "utf8" });

test.each(["qcow2", "vhd", "vmdk"] as const)("a %s boots", { timeout: 240_000 }, async (name) => {
  const dir = writeProject(`${CONFIG}machines: { system: { image: ${name}, ready: "system is up" } }\n`, FILES);
  await booted(dir, { name: "system" }, async (machine) => {
    const { stdout } = await machine.exec(
      "grep ' / ' /proc/mounts | cut -d' ' -f1-3; stat -c '%a %u:%g %s' /srv/private; cat /proc/1/comm",
      { via: "console" },
    );
    expect(stdout.trim().split(/\r?\n/)).toEqual([`/dev/vda2 / ${FILE_SYSTEMS[name]}`, "600 1000:1000 6", "init"]);
  });
});

test("qemu-img finds them whole; raw again, they are the disk; the same bytes from another store", async () => {
  const first = await buildProject(writeProject(CONFIG, FILES));
  await new Promise((resolve) => setTimeout(resolve, 1100)); // A VHD keeps whole seconds.
  const again = await buildProject(writeProject(CONFIG, FILES), { storeDir: temporaryDir() });
  const dir = temporaryDir();
  for (const [name, format] of Object.entries(FORMATS)) {
    expect(hashFile(again[name]!)).toEqual(hashFile(first[name]!));
    expect(path.basename(first[name]!)).toBe(`${name}.${name}`);
    if (format !== "vpc") expect(imageTool(["check", "-f", format, first[name]!])).toMatchObject({ status: 0 });
    const raw = path.join(dir, `${name}.raw`);
    expect(imageTool(["convert", "-f", format, "-O", "raw", first[name]!, raw])).toMatchObject({
      status: 0,
      stderr: "",
    });
    using source = openFileSource(raw);
    const gpt = readGpt(source);
    expect(gpt.fromBackup).toBe(false);
  }
  using source = openFileSource(path.join(dir, "vmdk.raw"));
  const { partitions } = readGpt(source);
  const MIB = 1024 * 1024;
  const own = "12345678-9abc-def0-1234-56789abcdef0";
  expect(partitions.map(({ name, type, size }) => [name, type, size / MIB])).toEqual([
    ["ESP", partitionType("esp", "amd64"), 64],
    ["root", partitionType("root", "amd64"), 32],
    ["root-verity", partitionType("root-verity", "amd64"), 8],
    ["root-b", partitionType("root", "amd64"), 256 - 2 - 64 - 32 - 8 - 1 - 16],
    ["own", own, 1],
    ["data", partitionType("linux", "amd64"), 16],
  ]);
  const slot = fs.readFileSync(first.slot!);
  expect(Buffer.compare(slot, source.read(partitions[3]!.offset, slot.length))).toBe(0);
  expect(fs.readFileSync(first.vmdk!).toString("latin1", 512, 1536)).toContain('SPARSE "vmdk.vmdk"');
}, 240_000);
