/**
 * The built-in fragments that no example starts from, compiled to the end and booted as what they are meant for. Only by
 * `npm run test:full`: each compiles a kernel of its own.
 */
import { describe, expect, test } from "vitest";
import { booted, guestOutput } from "../support/booted.ts";
import { writeProject } from "../support/test-session.ts";

const HOUR = 3_600_000;

const project = ({ config, initramfs = "", image }: { config: string; initramfs?: string; image: string }): string => `
name: fragments
kernel:
  from: source
  source: { debian: linux-source-6.12 }
  config: ${config}
  ccache: false
initramfs: { init: busybox, ${initramfs} }
image: ${image}
`;

describe.runIf(process.env.BOOTWRIGHT_TEST_FULL)("a kernel of the fragment", () => {
  test('"efi-installer" starts by firmware, has a picture, and knows disks and media', { timeout: 2 * HOUR }, () => {
    const dir = writeProject(
      project({
        config: "{ base: allnoconfig, fragments: [efi-installer] }",
        image: '{ kind: efi, embed: kernel, cmdline: "console=ttyS0 quiet" }',
      }),
    );
    return booted(dir, { firmware: "uefi" }, async (machine) => {
      expect(await guestOutput(machine, "cat /sys/firmware/efi/fw_platform_size")).toMatch(/^64$/m);
      expect(await guestOutput(machine, "cat /sys/class/graphics/fb0/name")).toMatch(/simpledrm/);
      const known = await guestOutput(machine, "cat /proc/filesystems");
      for (const name of ["efivarfs", "ext4", "iso9660", "overlay", "squashfs", "vfat"])
        expect(known).toMatch(new RegExp(`\\b${name}$`, "m"));
      const drivers = await guestOutput(machine, "ls /sys/bus/pci/drivers /sys/bus/scsi/drivers /sys/bus/usb/drivers");
      for (const name of ["ahci", "nvme", "sd", "sr", "usb-storage", "usbhid", "virtio-pci", "xhci_hcd"])
        expect(drivers).toMatch(new RegExp(`^${name}$`, "m"));
    });
  });

  test('"zero-os" loads network drivers in two stages, and has what flists and containers need', {
    timeout: 2 * HOUR,
  }, () => {
    const dir = writeProject(
      project({
        config: "{ base: allnoconfig, fragments: [zero-os] }",
        initramfs: "modules: { stage1: [virtio_net], stage2: [e1000] }",
        image: '{ kind: efi, embed: kernel, cmdline: "console=ttyS0 quiet" }',
      }),
    );
    return booted(dir, { firmware: "uefi" }, async (machine) => {
      const known = await guestOutput(machine, "cat /proc/filesystems");
      for (const name of ["btrfs", "fuse", "overlay"]) expect(known).toMatch(new RegExp(`\\b${name}$`, "m"));
      expect(await guestOutput(machine, "lsmod")).toMatch(/^virtio_net /m);
    });
  });
});
