/**
 * The kernel mounts what we write: a guest reads every entry of an odd tree through it, finds names by the hash index,
 * and writes to a volume with a journal, which e2fsck then finds whole.
 */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { comparePaths, pathFromBytes } from "../../src/base/bytes.ts";
import { digestOf } from "../../src/base/digest.ts";
import { type Ext4Options, encodeExt4 } from "../../src/formats/ext4.ts";
import { FILE_TYPE_BITS, type FileContent, type FileTree, type TreeEntry } from "../../src/formats/filetree.ts";
import { type Disk, startMachine } from "../../src/vm/index.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";
import { fsckComplaint } from "./ext4-debugfs.ts";

const CONFIG = `
name: ext4
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox, modules: [virtio_blk, ext4] }
images:
  direct: { kind: kernel, cmdline: console=ttyS0 quiet }
`;
const EPOCH = 1_700_000_000;
const MIB = 1024 * 1024;
let guest: { kernel: string; initrd: string };
let dir = "";

beforeAll(async () => {
  const { direct } = await buildProject(writeProject(CONFIG));
  guest = { kernel: path.join(direct!, "vmlinuz"), initrd: path.join(direct!, "initrd") };
  dir = temporaryDir();
});

const own = { mode: 0o644, uid: 0, gid: 0 };
const directory = (at: string): TreeEntry => ({ ...own, type: "directory", path: at, mode: 0o755 });
const file = (at: string, seed: number, size: number, more: Partial<TreeEntry> = {}): TreeEntry =>
  ({ ...own, type: "file", path: at, content: { hash: String(seed), size }, ...more }) as TreeEntry;

function* read({ hash, size }: FileContent): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= MIB) yield Buffer.alloc(Math.min(MIB, left), Number(hash) % 256);
}

function oddTree(): FileTree {
  const tree = [
    directory(""),
    directory("dev"),
    { ...own, type: "char", path: "dev/console", mode: 0o600, major: 5, minor: 1 },
    { ...own, type: "block", path: "dev/far", mode: 0o660, gid: 6, major: 259, minor: 70_000 },
    { ...own, type: "fifo", path: "dev/pipe" },
    { ...own, type: "socket", path: "dev/socket" },
    { ...own, type: "symlink", path: "short", mode: 0o777, target: "dev/console" },
    { ...own, type: "symlink", path: "long", mode: 0o777, target: "é/".repeat(700) },
    file("setuid", 3, 70_000, { mode: 0o6755, uid: 100_000, gid: 4_294_967_294 }),
    file("before", 4, 4096, { mtime: -86_400 }),
    file("after", 5, 1, { mtime: 2 ** 33 + 5 }),
    file(pathFromBytes(Buffer.of(0xff, 0x20, 0x0a, 0x22, 0x5c, 0xe9)), 6, 10),
    file("x".repeat(255), 7, 0),
    file("attributes", 8, 8, { xattrs: [{ name: "user.a", value: Buffer.alloc(2000, 1) }] }),
    file("link-1", 9, 5000, { link: 1 } as Partial<TreeEntry>),
    file("link-2", 9, 5000, { link: 1 } as Partial<TreeEntry>),
    file("large", 10, 150 * MIB + 7),
    directory("many"),
    ...Array.from({ length: 5000 }, (_, i) => file(`many/name number ${i}`, i, i % 7)),
    directory("wide"),
    ...Array.from({ length: 8000 }, (_, i) => file(`wide/${"w".repeat(240)}${i}`, i, 0)),
  ] as TreeEntry[];
  for (let at = "deep"; at.length < 200; at += "/deeper") tree.push(directory(at));
  return tree.sort((a, b) => comparePaths(a.path, b.path));
}

function writeImage(tree: FileTree, options: Partial<Ext4Options> = {}): string {
  const image = encodeExt4(tree, { read, seed: "kernel", epoch: EPOCH, ...options });
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

/** What `stat` says of each entry; a directory's size is not the tree's. */
function listed(tree: FileTree): string[] {
  const blocks = (entry: TreeEntry): number => (entry.type === "file" ? entry.content.size : 0);
  const target = (entry: TreeEntry): number => (entry.type === "symlink" ? Buffer.byteLength(entry.target) : 0);
  const links = (entry: TreeEntry): number => {
    if (entry.type === "file") return entry.link === undefined ? 1 : 2;
    if (entry.type !== "directory") return 1;
    const depth = entry.path === "" ? 1 : entry.path.split("/").length + 1;
    const below = tree.filter(
      (one) =>
        one.type === "directory" &&
        one.path !== "" &&
        one.path.split("/").length === depth &&
        (entry.path === "" || one.path.startsWith(`${entry.path}/`)),
    );
    return 2 + below.length + (entry.path === "" ? 1 : 0);
  };
  return tree.map((entry) => {
    const time = entry.mtime ?? EPOCH;
    const device =
      entry.type === "char" || entry.type === "block"
        ? `${entry.major.toString(16)}:${entry.minor.toString(16)}`
        : "0:0";
    const mode = (entry.mode | FILE_TYPE_BITS[entry.type]).toString(16);
    const size = entry.type === "directory" ? "dir" : blocks(entry) + target(entry);
    return `${mode} ${entry.uid} ${entry.gid} ${links(entry)} ${size} ${time} ${time} ${time} ${device}`;
  });
}

/** What the guest says of it: a file's digest, a link's target. */
function contentOf(entry: TreeEntry): string {
  if (entry.type === "symlink") return entry.target;
  return entry.type === "file" ? digestOf(Buffer.concat([...read(entry.content)])).hash : "";
}

describe("the kernel", () => {
  test("reads every entry as it was given", async () => {
    const tree = oddTree();
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
    const lines = listed(tree);
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
    const tree = oddTree();
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
