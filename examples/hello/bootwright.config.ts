import { defineProject } from "bootwright";

export default defineProject({
  name: "hello",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
  initramfs: {
    init: "busybox",
    files: {
      "/etc/motd": "hello from Bootwright\n",
      "/etc/init.d/hello": { content: "#!/bin/sh\ncat /etc/motd\n", executable: true },
    },
    run: ["/etc/init.d/hello"],
  },
  images: { hello: { kind: "uki", cmdline: "console=ttyS0 quiet" } },
});
