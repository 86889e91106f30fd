import { defineProject } from "bootwright";

// A disk that boots by UEFI: an initramfs leads to an ext4 root with BusyBox as init, and a partition for data.
export default defineProject({
  name: "appliance",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
  trees: {
    root: {
      from: [{ debian: ["busybox-static"], unpack: true }, { dir: "./root" }],
      files: {
        "/sbin/init": { symlink: "/bin/busybox" },
        "/dev": { directory: true },
        "/mnt": { directory: true },
        "/proc": { directory: true },
        "/run": { directory: true },
        "/sys": { directory: true },
        "/tmp": { directory: true, mode: "1777" },
      },
      remove: ["/usr/share/doc", "/usr/share/man", "/usr/share/initramfs-tools"],
      hostname: "appliance",
      users: { root: { password: "none" }, app: { uid: 1000 } },
    },
  },
  initramfs: { init: "busybox", root: true, modules: ["virtio_pci", "virtio_blk"] },
  images: {
    uki: { kind: "uki", cmdline: "console=ttyS0 quiet root=PARTLABEL=root" },
    disk: { kind: "disk", esp: ["uki"], espSize: "64MiB", tree: "root", data: { size: "rest" }, size: "256MiB" },
    root: { kind: "squashfs", tree: "root" },
  },
  machines: { appliance: { image: "disk", ready: "^appliance: ready" } },
});
