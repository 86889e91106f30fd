/** One ISO, started from an optical drive and from a disk, as a stick would be; its payload mounted by the kernel. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { prepareMachine } from "../../src/api/machine.ts";
import { hashFile } from "../../src/store/blobs.ts";
import { startMachine } from "../../src/vm/index.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, temporaryDir, testSession, withProject, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: vendor
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees: { server: { files: { /etc/hello: "from the payload\\n" } } }
initramfs: { init: busybox, modules: [virtio_scsi, virtio_blk, sr_mod, isofs, loop, squashfs] }
images:
  uki: { kind: uki, cmdline: console=ttyS0 quiet }
  server: { kind: squashfs, tree: server }
  iso: { kind: iso, boot: uki, payload: [server], label: VENDOR_1 }
`;

const READ_PAYLOAD =
  "mkdir /iso /server && mount -t iso9660 -o ro $DEVICE /iso && mount -t squashfs -o loop,ro /iso/payload/server.squashfs /server && cat /server/etc/hello";

test("an ISO boots from a CD and from a stick", { timeout: 300_000 }, async () => {
  const dir = writeProject(CONFIG);
  const { iso } = await buildProject(dir);
  const list = spawnSync(needProgram("fdisk", "fdisk"), ["--list", iso!], { encoding: "utf8" });
  expect(list.stdout).toMatch(/EFI System/);

  await withProject(dir, {}, async (project) => {
    const { signal } = testSession(dir);
    const prepared = await prepareMachine(project, { name: "iso" });
    expect(prepared.spec.boot).toMatchObject({ kind: "uefi", medium: { kind: "iso" } });
    {
      await using machine = await prepared.start({ signal, showConsole: false });
      await machine.ready;
      const { stdout } = await machine.exec(READ_PAYLOAD.replace("$DEVICE", "/dev/sr0"));
      expect(stdout).toBe("from the payload\n");
    }
    await using machine = await startMachine(
      { ...prepared.spec, boot: { kind: "uefi", medium: { kind: "image", path: iso! } } },
      { signal },
    );
    await machine.ready;
    // The first partition starts at the file system's own beginning, so a stick mounts as the CD does.
    const { stdout } = await machine.exec(READ_PAYLOAD.replace("$DEVICE", "/dev/vda1"));
    expect(stdout).toBe("from the payload\n");
  });
});

test("the same bytes from another directory and store, at another time", { timeout: 120_000 }, async () => {
  const first = await buildProject(writeProject(CONFIG));
  const again = await buildProject(writeProject(CONFIG), { storeDir: temporaryDir() });
  expect(hashFile(again.iso!)).toEqual(hashFile(first.iso!));
});
