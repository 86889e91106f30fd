import { defineProject } from "bootwright";

// The kernel of an installer: one EFI file that firmware starts by itself, with the initramfs and the command line inside it.
export default defineProject({
  name: "truthdb",
  version: "0.4.0",
  kernels: {
    installer: {
      from: "source",
      source: { debian: "linux-source-6.12" },
      localversion: "-truthdb",
      config: {
        base: "allnoconfig",
        fragments: ["./kernel/truthdb.config"],
        require: ["EFI_STUB", "DRM_SIMPLEDRM=y"],
      },
    },
  },
  initramfs: {
    installer: {
      init: "busybox",
      from: [{ dir: "./installer" }],
      modules: ["loop"],
      run: ["/usr/bin/paint"],
      console: "none",
    },
  },
  images: {
    // The kernel itself, linked with the initramfs.
    efi: {
      kind: "efi",
      embed: "kernel",
      cmdline: "console=ttyS0 quiet",
      name: "vmlinuz-{kernel.release}-{key}.efi",
    },
    // The same in a moment, on systemd's stub: while one works on the initramfs.
    uki: { kind: "uki", cmdline: "console=ttyS0 quiet" },
  },
  machines: { hardware: { image: "efi" }, workshop: { image: "uki" } },
});
