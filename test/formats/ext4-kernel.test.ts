/**
 * The kernel mounts what we write: a guest reads every entry of an odd tree through it, finds names by the hash index,
 * and writes to a volume with a journal, which e2fsck then finds whole.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { digestOf } from "../../src/base/digest.ts";
import { type Ext4Options, encodeExt4 } from "../../src/formats/ext4.ts";
import type { FileTree } from "../../src/formats/filetree.ts";
import { type Disk, startMachine } from "../../src/vm/index.ts";
import { contentOf, KERNEL_EPOCH, kernelTree, listed, read } from "../support/kernel-tree.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";
import { fsckComplaint } from "./ext4-debugfs.ts";

const CONFIG = `
name: ext4
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox, modules: [virtio_blk, ext4] }
images:
  direct: { kind: kernel, cmdline: console=ttyS0 quiet }
`;
const MIB = 1024 * 1024;
let guest: { kernel: string; initrd: string };
let dir = "";

beforeAll(async () => {
  const { direct } = await buildProject(writeProject(CONFIG));
  guest = { kernel: path.join(direct!, "vmlinuz"), initrd: path.join(direct!, "initrd") };
  dir = temporaryDir();
});

function writeImage(tree: FileTree, options: Partial<Ext4Options> = {}): string {
  const image = encodeExt4(tree, { read, seed: "kernel", epoch: KERNEL_EPOCH, ...options });
  const name = path.join(dir, `${image.size}.img`);
  const fd = openSync(name, "w");
  for (const { offset, bytes } of image.writes()) writeSync(fd, bytes, 0, bytes.length, offset);
  ftruncateSync(fd, image.size);
  closeSync(fd);
  return name;
}

const boot = (disk: Disk) =>
  startMachine(
    { name: "ext4", boot: { kind: "direct", ...guest, cmdline: "console=ttyS0 quiet" }, disks: [disk] },
    { accelerator: { cacheFile: path.join(dir, "accelerator.json") } },
  );

describe("the kernel", () => {
  test("reads every entry as it was given", async () => {
    const tree = kernelTree();
    const image = writeImage(tree);
    await using machine = await boot({ path: image, readonly: true });
    await machine.ready;
    const guestRun = async (command: string) => {
      const { exit, stdout, stderr } = await machine.exec(command, { timeout: 120_000 });
      expect([command, exit, stderr]).toEqual([command, 0, ""]);
      return stdout;
    };
    await guestRun("mkdir -p /m && mount -t ext4 -o ro /dev/vda /m");
    const odd = tree.filter(({ path: at }) => !/^(many|wide)\//.test(at) && !at.includes("\n"));
    const lines = listed(tree, { lostFound: true });
    const commands = odd.map((entry) => {
      const quoted = `'/m/${entry.path}'`;
      const content =
        entry.type === "file" ? `sha256sum < ${quoted}` : entry.type === "symlink" ? `readlink ${quoted}` : "echo";
      return `stat -c '%f %u %g %h %s %X %Y %Z %t:%T' ${quoted}; ${content}`;
    });
    const found = (await guestRun(commands.join("\n"))).split("\n");
    for (const [i, entry] of odd.entries()) {
      const line = found[2 * i]!.split(" ");
      if (entry.type === "directory") line[4] = "dir";
      expect([entry.path, line.join(" "), found[2 * i + 1]!.replace(/ +-$/, "")]).toEqual([
        entry.path,
        lines[tree.indexOf(entry)],
        contentOf(entry),
      ]);
    }
    // Names in the order of nothing: as sets, and each found by its hash.
    const hash = (names: string[]) =>
      digestOf(
        names
          .sort()
          .map((name) => `${name}\n`)
          .join(""),
      ).hash;
    for (const name of ["many", "wide"]) {
      const names = tree.filter(({ path: at }) => at.startsWith(`${name}/`)).map(({ path: at }) => at.slice(5));
      expect(await guestRun(`cd /m/${name} && ls | LC_ALL=C sort | sha256sum`)).toContain(hash(names));
      const probe = names.filter((_, i) => i % 400 === 0);
      await guestRun(`cd /m/${name} && ls -d ${probe.map((one) => `'${one}'`).join(" ")} >/dev/null`);
    }
    expect(await guestRun("cat /m/many/name*' '* | wc -c")).toBe(
      `${tree.reduce((sum, one) => sum + (one.type === "file" && one.path.startsWith("many/") ? one.content.size : 0), 0)}\n`,
    );
    expect(await guestRun("find /m -maxdepth 1 -size 10c -type f -print0 | od -An -tx1")).toBe(
      " 2f 6d 2f ff 20 0a 22 5c e9 00\n",
    );
    expect(await guestRun("stat -c %i /m/link-1 /m/link-2 | uniq | wc -l")).toBe("1\n");
    expect(await guestRun("dmesg | grep -i 'ext4-fs.*\\(error\\|warning\\)' || true")).toBe("");
  }, 400_000);

  test("writes to it, with a journal, and leaves it whole", async () => {
    const tree = kernelTree();
    const image = writeImage(tree, { journal: true, free: 60 * MIB });
    {
      await using machine = await boot({ path: image });
      await machine.ready;
      const { exit, stdout, stderr } = await machine.exec(
        [
          "mkdir -p /m && mount -t ext4 /dev/vda /m && cd /m",
          "for i in $(seq 500); do echo $i > many/new-$i; mkdir wide/dir-$i; done",
          "rm many/*' '1* && mv wide/w* many/ && rm -r deep",
          "head -c 30000000 /dev/zero > zeros && cp -a attributes copy && truncate -s 1000 large",
          "cd / && sync && umount /m && (dmesg | grep -i 'ext4-fs.*\\(error\\|warning\\)' || true)",
        ].join(" && "),
        { timeout: 200_000 },
      );
      expect([exit, stdout, stderr]).toEqual([0, "", ""]);
      await machine.exec("poweroff -f").catch(() => {});
      await machine.ended;
    }
    expect(fsckComplaint(image)).toBeUndefined();
  }, 400_000);
});
