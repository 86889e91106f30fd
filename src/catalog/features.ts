/** What a kernel's configuration says about what the kernel can do. */
import { BootwrightError } from "../base/errors.ts";

/** Options that tell users of a catalog whether a kernel fits: how it starts, what it mounts, what it talks to. */
const NOTABLE = [
  ...["EFI_STUB", "PVH", "KVM_GUEST", "ACPI", "SMP", "MODULES", "MODULE_SIG", "BLK_DEV_INITRD"],
  ...[
    "VIRTIO_PCI",
    "VIRTIO_MMIO",
    "VIRTIO_BLK",
    "VIRTIO_NET",
    "VIRTIO_CONSOLE",
    "VIRTIO_FS",
    "VIRTIO_VSOCKETS",
    "9P_FS",
  ],
  ...["BLK_DEV_NVME", "SATA_AHCI", "SCSI_VIRTIO", "USB_STORAGE"],
  ...["EXT4_FS", "XFS_FS", "BTRFS_FS", "SQUASHFS", "EROFS_FS", "OVERLAY_FS", "VFAT_FS", "ISO9660_FS", "TMPFS"],
  ...["DM_VERITY", "DM_CRYPT", "DM_INIT", "FS_VERITY"],
  ...["CGROUPS", "NAMESPACES", "SECCOMP", "BPF_SYSCALL", "NF_TABLES", "IP_PNP", "WIREGUARD", "TUN", "VETH", "BRIDGE"],
  ...["DRM_SIMPLEDRM", "FB_EFI", "FRAMEBUFFER_CONSOLE", "SERIAL_8250_CONSOLE", "SERIAL_AMBA_PL011_CONSOLE"],
  ...["RD_ZSTD", "RD_XZ", "RD_GZIP", "RD_LZ4"],
] as const;

export type KernelConfig = ReadonlyMap<string, string>;

/** Options with their values as the file has them; those that are "not set" are left out (kernel Documentation/kbuild/kconfig.rst). */
export function parseKernelConfig(text: string): KernelConfig {
  const options = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/^CONFIG_([A-Za-z0-9_]+)=(.*)$/gm)) options.set(name!, value!);
  return options;
}

export function notableFeatures(config: KernelConfig): readonly string[] {
  return NOTABLE.flatMap((name) => {
    const value = config.get(name);
    return value === "y" ? [name] : value === "m" ? [`${name}=m`] : [];
  }).sort();
}

/**
 * Checks options that an image needs: "EXT4_FS" is there as `y` or `m`; "EXT4_FS=y" has just that value. Throws
 * KERNEL_UNFIT that lists all that is missing.
 */
export function requireFeatures(
  config: KernelConfig,
  { requires, what }: { requires: readonly string[]; what: string },
): void {
  if (requires.length === 0) return;
  const lacking = requires.flatMap((required) => {
    const [name, wanted] = required.replace(/^CONFIG_/, "").split("=") as [string, string | undefined];
    const value = config.get(name);
    if (wanted === undefined ? value === "y" || value === "m" : value === wanted) return [];
    return [`${name}${wanted === undefined ? "" : `=${wanted}`} (has ${value === undefined ? "not set" : value})`];
  });
  if (lacking.length === 0) return;
  throw new BootwrightError("KERNEL_UNFIT", `${what} lacks ${lacking.join(", ")}`, {
    hint: "choose another kernel: `bootwright kernel show NAME` says what each has",
  });
}
