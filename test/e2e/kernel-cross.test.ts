/**
 * A kernel for the other architecture: compiled here by Debian's cross compiler, booted in an emulated machine, with a module
 * that is loaded there. Only by `npm run test:full`, as it compiles a kernel of its own.
 */
import { describe, expect, test } from "vitest";
import { booted, guestOutput } from "../support/booted.ts";
import { SMALL_KERNEL } from "../support/small-kernel.ts";
import { writeProject } from "../support/test-session.ts";

const PROJECT = `
name: cross
arch: aarch64
kernel:
  from: source
  source: { debian: linux-source-6.12 }
  localversion: -cross
  config: { base: tinyconfig, fragments: [./small.config], require: [ARM64=y, VIRTIO_BLK=m] }
initramfs: { init: busybox, modules: [virtio_blk] }
image: { kind: kernel, cmdline: console=ttyAMA0 quiet }
`;

/** With a serial port: as little as shows that the toolchain is the right one. */
const SMALL = `${SMALL_KERNEL}
CONFIG_ARM_AMBA=y
CONFIG_SERIAL_AMBA_PL011=y
CONFIG_SERIAL_AMBA_PL011_CONSOLE=y
CONFIG_PCI_HOST_GENERIC=y
CONFIG_VIRTIO_BLK=m
# CONFIG_CPU_ISOLATION is not set
# CONFIG_HID_SUPPORT is not set
# CONFIG_INPUT is not set
# CONFIG_LEGACY_PTYS is not set
# CONFIG_SERIO is not set
# CONFIG_SWAP is not set
# CONFIG_USB_SUPPORT is not set
# CONFIG_VT is not set
`;

describe.runIf(process.env.BOOTWRIGHT_TEST_FULL)("a kernel for aarch64", () => {
  test("is compiled by the cross compiler, boots, and loads its module", { timeout: 3_600_000 }, () =>
    booted(writeProject(PROJECT, { "small.config": SMALL }), { firmware: "direct" }, async (machine) => {
      expect(await guestOutput(machine, "uname -rm")).toMatch(/^6\.12\.\d+-cross aarch64\n$/);
      expect(await guestOutput(machine, "cat /proc/version")).toContain(
        "(bootwright@bootwright) (aarch64-linux-gnu-gcc ",
      );
      expect(await guestOutput(machine, "lsmod")).toMatch(/^virtio_blk /m);
    }),
  );
});
