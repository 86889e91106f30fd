/** A root that stays on its medium: one image file on the ISO, changes in memory; from a CD, and from a stick. */
import { expect, test } from "vitest";
import { prepareMachine } from "../../src/api/machine.ts";
import { type MachineSpec, startMachine } from "../../src/vm/index.ts";
import { BUSYBOX_SYSTEM } from "../support/busybox-system.ts";
import { buildProject, testSession, withProject, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: live
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees:
  root:${BUSYBOX_SYSTEM}
initramfs: { init: busybox, root: true, modules: [virtio_pci, virtio_scsi, virtio_blk, sr_mod, isofs, loop, squashfs, overlay] }
images:
  root: { kind: squashfs, tree: root, compress: gzip }
  uki: { kind: uki, cmdline: "console=ttyS0 quiet root=LABEL=LIVE_1 bootwright.live=/payload/root.squashfs" }
  wrong: { kind: uki, cmdline: "console=ttyS0 quiet root=LABEL=LIVE_1 bootwright.live=/payload/rot.squashfs" }
  iso: { kind: iso, boot: uki, payload: [root], label: LIVE_1 }
  bad: { kind: iso, boot: wrong, payload: [root], label: LIVE_1 }
machines:
  iso: { image: iso, ready: "live is up" }
  bad: { image: bad }
`;

const FILES = {
  "root/etc/start": "#!/bin/busybox sh\n/bin/busybox --install -s /bin\necho live is up\n",
};

const LOOK =
  "echo kept >/new; cat /new; grep -E ' (/|/run/bootwright/[mi].*) ' /proc/mounts | cut -d' ' -f2,3; ls /run/bootwright/medium/payload";

test("from a CD and from a stick", { timeout: 300_000 }, async () => {
  const dir = writeProject(CONFIG, FILES);
  const { iso } = await buildProject(dir);
  await withProject(dir, {}, async (project) => {
    const { signal } = testSession(dir);
    const { spec } = await prepareMachine(project, { name: "iso" });
    const stick: MachineSpec["boot"] = { kind: "uefi", medium: { kind: "image", path: iso! } };
    for (const boot of [spec.boot, stick]) {
      await using machine = await startMachine({ ...spec, boot }, { signal });
      await machine.ready;
      const { stdout } = await machine.exec(LOOK, { via: "console" });
      expect(stdout.trim().split(/\r?\n/)).toEqual([
        ...["kept", "/run/bootwright/medium iso9660", "/run/bootwright/image squashfs", "/ overlay", "root.squashfs"],
      ]);
    }
  });
});

test("an image that is not on the medium is said", { timeout: 240_000 }, async () => {
  const dir = writeProject(CONFIG, FILES);
  await withProject(dir, {}, async (project) => {
    const prepared = await prepareMachine(project, { name: "bad" });
    await using machine = await prepared.start({ signal: testSession(dir).signal, showConsole: false });
    await machine.console.waitFor(/the medium LABEL=LIVE_1 has no \/payload\/rot\.squashfs/, { timeout: 120_000 });
  });
});
