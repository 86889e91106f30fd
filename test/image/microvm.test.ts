/** A microVM: QEMU boots the directory in both forms of the kernel, and each monitor's configuration is what its API describes. */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { findTool } from "../../src/base/host-tools.ts";
import { run } from "../../src/base/process.ts";
import { hostTscKhz, withTscFrequency } from "../../src/vm/tsc.ts";
import { booted } from "../support/booted.ts";
import { bzImage } from "../support/bz-image.ts";
import { needProgram } from "../support/need-program.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const config = (fs: string) => `
name: micro
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees:
  root:
    from: [{ debian: [busybox-static], unpack: true }]
    files:
      /sbin/init: { symlink: /bin/busybox }
      /etc/inittab: "::sysinit:/etc/start\\n::respawn:-/bin/busybox sh\\n"
      /etc/start: { content: "#!/bin/busybox sh\\n/bin/busybox --install -s /bin 2>/dev/null\\ngrep ' / ' /proc/mounts\\necho system is up\\n", executable: true }
      /dev: { directory: true }
      /proc: { directory: true }
      /sys: { directory: true }
      /run: { directory: true }
      /srv/private: { content: "secret", mode: "0600", uid: 1000, gid: 1000 }
initramfs: { init: busybox, root: true, modules: [virtio_mmio, virtio_blk, erofs, squashfs] }
images:
  vm: { kind: microvm, cmdline: console=ttyS0 quiet, tree: root, root: { fs: ${fs} }, memory: 256MiB }
machines:
  vm: { image: vm, ready: "system is up", disks: [16MiB], memory: 256MiB }
`;

test.each(["ext4", "erofs", "squashfs"])("boots from %s, other disks behind it", { timeout: 240_000 }, async (kind) => {
  await booted(writeProject(config(kind)), { name: "vm" }, async (machine, prepared) => {
    expect(prepared.firmware).toBe("microvm");
    const { stdout } = await machine.exec(
      "grep ' / ' /proc/mounts | cut -d' ' -f1-3; stat -c '%a %u:%g %s' /srv/private; cat /sys/block/vdb/size",
      { via: "console" },
    );
    expect(stdout.trim().split(/\r?\n/)).toEqual([`/dev/vda / ${kind}`, "600 1000:1000 6", "32768"]);
  });
});

test("QEMU boots the ELF kernel by the arguments in the directory", { timeout: 240_000 }, async () => {
  const { vm } = await buildProject(writeProject(config("erofs")));
  const words = fs.readFileSync(path.join(vm!, "qemu.args"), "utf8").trimEnd().split("\n");
  expect(words.slice(0, 2)).toEqual(["-M", "microvm"]);
  words[words.indexOf("-kernel") + 1] = "vmlinux";
  // Without KVM the clock's speed has to be told (src/vm/tsc.ts).
  const append = words.indexOf("-append") + 1;
  words[append] = withTscFrequency(`${words[append]} panic=-1 rdinit=/bin/true`, hostTscKhz() ?? 2_000_000);
  const inherited = fs.realpathSync(vm!);
  const { stdout } = await run([findTool("qemu-system-x86_64")!, ...words, "-accel", "tcg"], {
    cwd: inherited,
    timeout: 120_000,
  });
  // An init that ends at once: the kernel has come as far as userspace, and restarts, which ends QEMU.
  expect(stdout.toString()).toMatch(/Attempted to kill init! exitcode=0x00000000/);
});

/** FullVmConfiguration and what it refers to (Firecracker's src/firecracker/swagger/firecracker.yaml): those members that we write. */
const firecracker = z.strictObject({
  "boot-source": z.strictObject({
    kernel_image_path: z.string(),
    boot_args: z.string().optional(),
    initrd_path: z.string().optional(),
  }),
  drives: z.array(
    z.strictObject({
      drive_id: z.string().regex(/^[A-Za-z0-9_]+$/),
      is_root_device: z.boolean(),
      is_read_only: z.boolean(),
      path_on_host: z.string(),
      partuuid: z.string().optional(),
      cache_type: z.enum(["Unsafe", "Writeback"]).optional(),
      io_engine: z.enum(["Sync", "Async"]).optional(),
    }),
  ),
  "machine-config": z.strictObject({
    vcpu_count: z.int().min(1).max(32),
    mem_size_mib: z.int().min(1),
    smt: z.boolean().optional(),
  }),
});

/** VmConfig and what it refers to (cloud-hypervisor's vmm/src/api/openapi/cloud-hypervisor.yaml), likewise. */
const cloudHypervisor = z.strictObject({
  payload: z.strictObject({
    kernel: z.string().optional(),
    cmdline: z.string().optional(),
    initramfs: z.string().optional(),
  }),
  cpus: z.strictObject({ boot_vcpus: z.int().min(1), max_vcpus: z.int().min(1) }),
  memory: z.strictObject({ size: z.int() }),
  disks: z.array(z.strictObject({ path: z.string().optional(), readonly: z.boolean().optional() })),
  serial: z.strictObject({ mode: z.enum(["Off", "Pty", "Tty", "File", "Socket", "Null"]) }),
  console: z.strictObject({ mode: z.enum(["Off", "Pty", "Tty", "File", "Socket", "Null"]) }),
});

test("Firecracker's and cloud-hypervisor's configurations are what their APIs describe", async () => {
  const built = await buildProject(writeProject(config("ext4")));
  const again = await buildProject(writeProject(config("ext4")), { storeDir: temporaryDir() });
  const read = (dir: string, name: string) => JSON.parse(fs.readFileSync(path.join(dir, name), "utf8"));
  const [fire, cloud] = [
    firecracker.parse(read(built.vm!, "firecracker.json")),
    cloudHypervisor.parse(read(built.vm!, "cloud-hypervisor.json")),
  ];
  const paths = [
    fire["boot-source"].kernel_image_path,
    fire["boot-source"].initrd_path,
    fire.drives[0]!.path_on_host,
    cloud.payload.kernel,
    cloud.payload.initramfs,
    cloud.disks[0]!.path,
  ];
  for (const file of paths) expect(fs.existsSync(path.join(built.vm!, file!))).toBe(true);
  expect(fs.readFileSync(path.join(built.vm!, "vmlinux")).toString("latin1", 0, 4)).toBe("\x7fELF");
  expect(fire["boot-source"].boot_args).toBe(
    "console=ttyS0 quiet root=/dev/vda rootfstype=ext4 rw reboot=k panic=1 pci=off",
  );
  expect(fire["machine-config"].mem_size_mib).toBe(256);
  expect(cloud.memory.size).toBe(256 * 1024 * 1024);
  for (const name of fs.readdirSync(built.vm!))
    expect([
      name,
      fs.readFileSync(path.join(built.vm!, name)).equals(fs.readFileSync(path.join(again.vm!, name))),
    ]).toEqual([name, true]);
});

test("a kernel that is packed with xz, as Debian's usual ones are, becomes the same ELF file", async () => {
  const elf = Buffer.concat([Buffer.from("\x7fELF", "latin1"), Buffer.alloc(200_000, "kernel")]);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(elf.length);
  const xz = spawnSync(needProgram("xz", "xz-utils"), ["--check=crc32", "--x86", "--lzma2=preset=1", "--stdout"], {
    input: elf,
  });
  const dir = writeProject(`
name: packed
kernel: { from: file, image: ./vmlinuz }
trees: { root: { files: { /etc/motd: "hello" } } }
images: { vm: { kind: microvm, initramfs: none, tree: root } }
`);
  fs.writeFileSync(path.join(dir, "vmlinuz"), bzImage(Buffer.concat([xz.stdout, size])));
  const { vm } = await buildProject(dir);
  expect(Buffer.compare(fs.readFileSync(path.join(vm!, "vmlinux")), elf)).toBe(0);
  expect(fs.readFileSync(path.join(vm!, "cmdline"), "utf8")).toBe("root=/dev/vda rootfstype=ext4 rw\n");
});
