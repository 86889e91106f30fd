import { defineProject } from "bootwright";

// A microVM: no firmware, no PCI, a read-only EROFS root. `out/vm` runs on QEMU, Firecracker and
// cloud-hypervisor.
export default defineProject({
  name: "microvm",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
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
      hostname: "microvm",
      budget: "4MiB",
    },
  },
  initramfs: { init: "busybox", root: true, modules: ["virtio_mmio", "virtio_blk", "erofs"] },
  images: {
    vm: { kind: "microvm", cmdline: "console=ttyS0 quiet", tree: "root", root: { fs: "erofs" }, memory: "128MiB" },
    sums: { kind: "sha256sums" },
  },
  machines: { vm: { image: "vm", memory: "128MiB", ready: "^microvm: ready" } },
});
