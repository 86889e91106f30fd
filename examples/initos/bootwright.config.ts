import { defineProject } from "bootwright";

const script = (...lines: string[]) => ({ content: `#!/bin/sh\n${lines.join("\n")}\n`, executable: true });

/** What a disk or a stick may sit at: both initramfs find their images there. */
const MEDIA = ["virtio_pci", "virtio_blk", "ahci", "nvme", "xhci_pci", "uas", "usb_storage", "sd_mod"];

/** What the host's own image of modules has besides; `"all"` are 4,000, of 100 MB. */
const HARDWARE = [
  "e1000e",
  "igb",
  "ixgbe",
  "r8169",
  "virtio_net",
  "usbhid",
  "hid_generic",
  "i2c_i801",
  "carl9170",
  "vfat",
];

// A host whose every byte is signed: firmware checks the UKI, the UKI's initramfs opens the host's root, the kernel's modules and
// its firmware by their hashes. Two slots, of which an update writes the other one; in each, behind a boot menu, a recovery
// system that needs none of the images. `bootwright keys init` comes first.
export default defineProject({
  name: "initos",
  version: "1.0",
  // Not the cloud's kernel, which knows no USB: this host also starts from a stick.
  kernel: { from: "debian", package: "linux-image-amd64" },
  keys: {
    pk: { file: "./keys/pk" },
    kek: { file: "./keys/kek" },
    db: { file: "./keys/db" },
    update: { file: "./keys/update", type: "ed25519" },
  },
  update: { release: 1, floor: 1, health: ["/usr/sbin/initos-health"], watchdog: 60 },
  trees: {
    host: {
      from: [{ debian: ["busybox-static"], unpack: true }, { updater: true }, { dir: "./host" }],
      files: {
        "/bin/sh": { symlink: "busybox" },
        "/sbin/init": { content: "#!/bin/sh\nexec /bin/busybox init\n", executable: true },
        // The kernel's modules are an image of their own: a new kernel leaves the host's root as it is.
        "/lib/modules": { symlink: "/opt/modules/lib/modules" },
        "/opt/modules": { directory: true },
        // So is its firmware.
        "/lib/firmware": { symlink: "/opt/firmware/lib/firmware" },
        "/opt/firmware": { directory: true },
        "/data": { directory: true },
        "/dev": { directory: true },
        "/mnt": { directory: true },
        "/proc": { directory: true },
        "/run": { directory: true },
        "/sys": { directory: true },
        "/tmp": { directory: true },
      },
      remove: ["/usr/share/doc", "/usr/share/man", "/usr/share/initramfs-tools"],
      hostname: "initos",
      users: { root: { password: "none" } },
    },
    modules: { from: [{ modules: HARDWARE }] },
    firmware: { from: [{ firmware: ["carl9170-1.fw"] }] },
  },
  initramfs: {
    host: {
      init: "busybox",
      root: true,
      verify: [
        { image: "host", device: "PARTLABEL=host-{slot}" },
        { image: "modules", device: "PARTLABEL=modules-{slot}", mount: "/opt/modules" },
        { image: "firmware", device: "PARTLABEL=firmware-{slot}", mount: "/opt/firmware" },
      ],
      modules: [...MEDIA, "erofs", "squashfs", "efivarfs", "softdog"],
    },
    // A shell for whoever stands at the console, with what repairs a slot. It lives in memory.
    recovery: {
      init: "busybox",
      from: [{ updater: true }, { dir: "./recovery" }],
      modules: [...MEDIA, "squashfs", "efivarfs"],
      run: ["/etc/recovery"],
      agent: false,
    },
  },
  images: {
    host: { kind: "erofs", tree: "host", verity: true },
    modules: { kind: "squashfs", tree: "modules", verity: true },
    firmware: { kind: "squashfs", tree: "firmware", verity: true },
    uki: {
      kind: "uki",
      initramfs: "host",
      cmdline: "console=ttyS0 quiet panic=3",
      sortKey: "0-host",
      sign: "db",
    },
    recovery: {
      kind: "uki",
      initramfs: "recovery",
      cmdline: "console=ttyS0 quiet panic=3",
      title: "Recovery",
      sortKey: "1-recovery",
      sign: "db",
    },
    disk: {
      kind: "disk",
      layout: "ab",
      esp: ["uki", "recovery"],
      // A key that is held down at the start shows it; "2" goes to the recovery.
      menu: { timeout: 0 },
      espSize: "96MiB",
      slots: ["host", "modules", "firmware"],
      data: { size: "32MiB" },
    },
    usb: {
      kind: "disk",
      layout: "usb",
      esp: ["uki", "recovery"],
      menu: { timeout: 0 },
      espSize: "96MiB",
      slots: ["host", "modules", "firmware"],
    },
    update: { kind: "update", disk: "disk" },
  },
  machines: {
    host: { image: "disk", secureBoot: true, memory: "768MiB", ready: "^initos# " },
    recovery: { image: "disk", secureBoot: true, memory: "768MiB", ready: "^recovery: " },
    usb: { image: "usb", bus: "usb", secureBoot: true, memory: "768MiB", ready: "^initos# " },
  },
  // What the tests update to, besides a release that is well.
  profiles: {
    next: { version: "2.0", update: { release: 2 } },
    // New firmware alone: root and modules are the same images.
    firmware: { trees: { firmware: { from: [{ firmware: ["carl9170-1.fw", "usbdux_firmware.bin"] }] } } },
    hangs: {
      version: "3.0",
      update: { release: 3 },
      trees: { host: { files: { "/etc/init.d/start": script("while :; do busybox sleep 1; done") } } },
    },
    panics: {
      version: "4.0",
      update: { release: 4 },
      trees: { host: { files: { "/sbin/init": script("exit 1") } } },
    },
    unhealthy: {
      version: "5.0",
      update: { release: 5 },
      trees: { host: { files: { "/usr/sbin/initos-health": script("exit 1") } } },
    },
    older: { version: "0.9", update: { release: 0, floor: 0 } },
  },
});
