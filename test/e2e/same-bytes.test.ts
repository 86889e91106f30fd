/** The same bytes twice (design §7.2): whatever the place, the time, the user and the environment. */
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { digests, digestsIn, SURROUNDINGS } from "../support/surroundings.ts";
import { temporaryDir, writeProject } from "../support/test-session.ts";

const RICH = `
name: rich
version: 1.2.3
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs:
  main:
    init: busybox
    compress: zstd
    modules: [virtio_blk, overlay]
    microcode: ./microcode
    hostname: rich
    users: { zoe: { password: none }, alice: { password: none } }
    from: [{ dir: ./overlay }, { debian: [busybox-static], unpack: true, to: /packages }]
    files: { /etc/motd: { file: ./overlay/b }, /srv/null: { device: c 1 3 } }
    services: { idle: { exec: [/bin/sleep, "9"] } }
  xz: { init: busybox, compress: xz }
  lz4: { init: busybox, compress: lz4 }
  gzip: { init: busybox, compress: gzip }
  none: { init: busybox, compress: none }
trees:
  root:
    from: [{ dir: ./overlay }]
    files: { /usr/bin/su: { content: su, mode: "4755" }, /dev/null: { device: c 1 3 } }
    users: { zoe: { uid: 1000 } }
images:
  tar: { kind: tar, tree: root }
  squashfs: { kind: squashfs, tree: root }
  erofs: { kind: erofs, tree: root, label: root }
  oci: { kind: oci, tree: root }
  raw:
    kind: disk
    esp: [uki]
    espSize: 64MiB
    tree: root
    partitions: { root-b: { type: root, image: erofs }, root-b-verity: { type: root-verity, size: 1MiB } }
    data: { size: 8MiB }
  qcow2: { kind: disk, esp: [uki], espSize: 64MiB, tree: root, root: { fs: erofs }, format: qcow2 }
  vhd: { kind: disk, esp: [uki], espSize: 64MiB, tree: root, root: { fs: squashfs }, format: vhd }
  vmdk: { kind: disk, esp: [uki], espSize: 64MiB, format: vmdk, sectorSize: 4096 }
  iso: { kind: iso, boot: uki, payload: [squashfs] }
  vm: { kind: microvm, initramfs: main, tree: root, cmdline: console=ttyS0 }
  net: { kind: pxe, boot: uki }
  sums: { kind: sha256sums }
  uki: { kind: uki, initramfs: main, cmdline: console=ttyS0 quiet }
  beside: { kind: efi, embed: none, initramfs: xz, cmdline: console=ttyS0 }
  esp: { kind: esp, contains: [uki, { file: ./overlay/Ä file, to: "docs/Ä file.txt" }], size: 64MiB, label: BOOT }
  esp-dir: { kind: esp, contains: [uki], format: directory }
  direct: { kind: kernel, initramfs: lz4, cmdline: quiet }
  gzip: { kind: cpio, initramfs: gzip }
  none: { kind: cpio, initramfs: none }
`;

const RICH_FILES = {
  "overlay/a": "a\n",
  "overlay/b": "b\n",
  "overlay/Ä file": "name with a blank and a letter\n",
  "overlay/opt/tool": "#!/bin/sh\n",
  "microcode/intel-ucode/06-01-01": "one",
  "microcode/intel-ucode/06-01-02": "two",
};

const EXAMPLE = path.join(import.meta.dirname, "../../examples/hello");

const first: Record<string, Record<string, string>> = {};
const projects = { rich: "", hello: "" };

beforeAll(async () => {
  projects.rich = writeProject(RICH, RICH_FILES);
  projects.hello = temporaryDir();
  fs.copyFileSync(path.join(EXAMPLE, "bootwright.config.ts"), path.join(projects.hello, "bootwright.config.ts"));
  for (const [name, dir] of Object.entries(projects)) first[name] = await digests(dir, {});
});

test.each(Object.keys(SURROUNDINGS))("%s", async (name) => {
  for (const [project, from] of Object.entries(projects)) expect(await digestsIn(name, from)).toEqual(first[project]);
});
