import { defineProject } from "bootwright";

// One Debian root: systemd, ssh with a key, an address by DHCP. It starts from a disk, and from a CD or stick, where it keeps
// its changes in memory. Make a key first: ssh-keygen -t ed25519 -f admin
export default defineProject({
  name: "debian-server",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
  trees: {
    root: {
      from: [
        { debian: ["dbus", "iproute2", "openssh-server", "systemd-resolved", "systemd-sysv", "udev"] },
        { dir: "./root" },
      ],
      remove: ["/usr/share/doc/*", "/usr/share/man/*"],
      hostname: "debian-server",
      groups: { operators: {} },
      users: { admin: { sshKeys: "./admin.pub", shell: "/bin/bash", groups: ["operators", "systemd-journal"] } },
      files: {
        "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": {
          symlink: "/lib/systemd/system/systemd-networkd.service",
        },
      },
    },
  },
  // It loads what the machine needs before its root is there, and hands over to systemd.
  initramfs: {
    init: "busybox",
    root: true,
    modules: [
      ...["virtio_pci", "virtio_net", "virtio_blk", "virtio_scsi", "sr_mod"],
      ...["ext4", "isofs", "loop", "erofs", "overlay", "autofs4"],
    ],
  },
  images: {
    uki: { kind: "uki", cmdline: "console=ttyS0 rw root=PARTLABEL=root" },
    disk: { kind: "disk", esp: ["uki"], espSize: "128MiB", tree: "root", root: { size: "rest" }, size: "2GiB" },
    payload: { kind: "erofs", tree: "root" },
    live: {
      kind: "uki",
      cmdline: "console=ttyS0 root=LABEL=DEBIAN_SERVER bootwright.live=/payload/payload.erofs",
    },
    iso: { kind: "iso", boot: "live", payload: ["payload"], label: "DEBIAN_SERVER" },
  },
  machines: {
    server: {
      image: "disk",
      memory: "1GiB",
      network: "user",
      ports: ["{env:SSH_PORT:-2222}:22"],
      ready: "debian-server login:",
    },
    live: {
      image: "iso",
      memory: "1GiB",
      network: "user",
      ports: ["{env:SSH_PORT_LIVE:-2223}:22"],
      ready: "debian-server login:",
    },
  },
});
