import { defineProject } from "bootwright";

// A guest that takes its kernel from the catalog which ../bootwright.config.ts publishes to. With its drivers and ext4 built
// in, the kernel mounts the root by itself: no initramfs.
export default defineProject({
  name: "guest",
  catalogs: { kernels: { url: "../catalog", keys: ["../keys/catalog.pub"] } },
  kernel: { from: "catalog", bundle: "generic-6.12", requires: ["VIRTIO_MMIO=y", "VIRTIO_BLK=y", "EXT4_FS=y"] },
  trees: {
    root: {
      from: [{ debian: ["busybox-static"], unpack: true }, { dir: "./root" }],
      files: {
        "/sbin/init": { symlink: "/bin/busybox" },
        "/dev": { directory: true },
        "/proc": { directory: true },
        "/run": { directory: true },
        "/sys": { directory: true },
      },
      remove: ["/usr/share"],
      hostname: "guest",
    },
  },
  images: { guest: { kind: "microvm", cmdline: "console=ttyS0 quiet", tree: "root", memory: "128MiB" } },
  machines: { guest: { image: "guest", memory: "128MiB", ready: "^guest: ready" } },
});
