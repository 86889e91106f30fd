/** Whole disks: sound to fdisk, started by firmware, and their partitions mounted by the kernel. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import { expect, test } from "vitest";
import { prepareMachine } from "../../src/api/machine.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, testSession, withProject, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: disky
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox, modules: [virtio_blk, vfat, nls_cp437, nls_ascii] }
images:
  uki: { kind: uki, cmdline: console=ttyS0 quiet }
  old: { kind: uki, cmdline: console=ttyS0 }
  disk-512: { kind: disk, esp: [uki, old, { file: note.txt, to: /note.txt }], espSize: 64MiB, size: 96MiB }
  disk-4096: { kind: disk, esp: [uki], espSize: 300MiB, sectorSize: 4096 }
`;

test.each([
  {
    sectorSize: 512,
    files: ["/mnt/EFI/BOOT/BOOTX64.EFI", "/mnt/EFI/Linux/old.efi", "/mnt/note.txt"],
    size: 96 * 2 ** 20,
  },
  { sectorSize: 4096, files: ["/mnt/EFI/BOOT/BOOTX64.EFI"], size: 302 * 2 ** 20 },
])("a disk of $sectorSize byte sectors boots", { timeout: 240_000 }, async ({ sectorSize, files, size }) => {
  const name = `disk-${sectorSize}`;
  const dir = writeProject(CONFIG, { "note.txt": "hello\n" });
  const { [name]: image } = await buildProject(dir);
  const { size: apparent, blocks } = fs.statSync(image!);
  expect(apparent).toBe(size);
  expect(blocks * 512).toBeLessThan(80 * 2 ** 20); // Free space is a hole.

  const check = spawnSync(needProgram("fdisk", "fdisk"), ["--sector-size", String(sectorSize), image!], {
    encoding: "utf8",
    input: "v\nq\n",
  });
  expect(check.stdout + check.stderr).toContain("No errors detected.");

  await withProject(dir, {}, async (project) => {
    const prepared = await prepareMachine(project, { name });
    await using machine = await prepared.start({ signal: testSession(dir).signal, showConsole: false });
    await machine.ready;
    const { stdout } = await machine.exec(
      "mkdir /mnt && mount -t vfat -o ro /dev/vda1 /mnt && find /mnt -type f | sort; cat /sys/block/vda/queue/logical_block_size",
    );
    expect(stdout.trim().split("\n")).toEqual([...files, String(sectorSize)]);
  });
});

test("an ESP that is too small for its files says so", async () => {
  const dir = writeProject(CONFIG.replace("espSize: 64MiB, size: 96MiB", "espSize: 8MiB"), { "note.txt": "hello\n" });
  await expect(buildProject(dir)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
});
