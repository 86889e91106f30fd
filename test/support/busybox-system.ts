/** A root that boots: BusyBox from Debian as init, `/etc/start` of the project's `root/` first, then a shell. */

/** What a tree of a config holds, in YAML, without an end: more files may follow on lines of their own. */
export const BUSYBOX_SYSTEM = `
    from: [{ debian: [busybox-static], unpack: true }, { dir: ./root }]
    files:
      /sbin/init: { symlink: /bin/busybox }
      /etc/inittab: "::sysinit:/etc/start\\n::respawn:-/bin/busybox sh\\n"
      /dev: { directory: true }
      /proc: { directory: true }
      /sys: { directory: true }
      /run: { directory: true }`;
