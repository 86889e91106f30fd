import { defineProject } from "bootwright";

// A kernel for any guest that a virtual machine monitor starts directly: built from source once, published to a signed
// catalog, and taken from there by projects such as ./guest.
export default defineProject({
  name: "generic-kernel",
  kernels: {
    generic: {
      from: "source",
      source: { debian: "linux-source-6.12" },
      localversion: "-generic",
      config: {
        base: "allnoconfig",
        fragments: ["microvm", "./kernel/generic.config"],
        require: ["PVH=y", "VIRTIO_BLK=y", "VIRTIO_NET=y", "VIRTIO_VSOCKETS=y", "EXT4_FS=y", "9P_FS=y"],
      },
    },
  },
  initramfs: { init: "busybox" },
  images: { generic: { kind: "kernel", cmdline: "console=ttyS0 quiet" } },
  machines: { generic: { image: "generic", firmware: "microvm" } },
  keys: { catalog: { file: "./keys/catalog" } },
  catalogs: { kernels: { url: "./catalog", keys: ["./keys/catalog.pub"] } },
  publish: { generic: { bundle: "generic", name: "generic-6.12", to: "catalog:kernels" } },
});
