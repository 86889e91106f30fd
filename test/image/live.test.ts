/** A root that stays on its medium: one image file on the ISO, changes in memory; from a CD, and from a stick at a USB port. */
import { expect, test } from "vitest";
import { prepareMachine } from "../../src/api/machine.ts";
import { BUSYBOX_SYSTEM } from "../support/busybox-system.ts";
import { testSession, withProject, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: live
kernel: { from: debian, package: linux-image-amd64 }
trees:
  root:${BUSYBOX_SYSTEM}
initramfs: { init: busybox, root: true, modules: [virtio_pci, virtio_scsi, sr_mod, xhci_pci, uas, usb_storage, sd_mod, isofs, loop, squashfs, overlay] }
images:
  root: { kind: squashfs, tree: root, compress: gzip }
  uki: { kind: uki, cmdline: "console=ttyS0 quiet root=LABEL=LIVE_1 bootwright.live=/payload/root.squashfs" }
  wrong: { kind: uki, cmdline: "console=ttyS0 quiet root=LABEL=LIVE_1 bootwright.live=/payload/rot.squashfs" }
  iso: { kind: iso, boot: uki, payload: [root], label: LIVE_1 }
  bad: { kind: iso, boot: wrong, payload: [root], label: LIVE_1 }
machines:
  iso: { image: iso, ready: "live is up" }
  stick: { image: iso, bus: usb, ready: "live is up" }
  bad: { image: bad }
`;

const FILES = {
  "root/etc/start": "#!/bin/busybox sh\n/bin/busybox --install -s /bin\necho live is up\n",
};

const LOOK =
  "echo kept >/new; cat /new; grep -E ' (/|/run/bootwright/[mi].*) ' /proc/mounts | cut -d' ' -f2,3; ls /run/bootwright/medium/payload";

test("from a CD and from a stick", { timeout: 300_000 }, async () => {
  const dir = writeProject(CONFIG, FILES);
  await withProject(dir, {}, async (project) => {
    const { signal } = testSession(dir);
    for (const name of ["iso", "stick"]) {
      const prepared = await prepareMachine(project, { name });
      await using machine = await prepared.start({ signal, showConsole: false });
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
