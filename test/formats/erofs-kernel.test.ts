/** The kernel mounts our EROFS: a guest reads every entry of an odd tree through it, attributes and names of any bytes too. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { comparePaths } from "../../src/base/bytes.ts";
import { digestOf } from "../../src/base/digest.ts";
import { encodeErofs } from "../../src/formats/erofs.ts";
import type { FileTree, TreeEntry } from "../../src/formats/filetree.ts";
import { bootFiles, guestOutput } from "../support/booted.ts";
import { contentOf, KERNEL_EPOCH, kernelTree, listed, read } from "../support/kernel-tree.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: erofs
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs:
  init: busybox
  modules: [virtio_blk, erofs]
  from: [{ debian: [attr, libattr1, libc6], unpack: true }]
images:
  direct: { kind: kernel, cmdline: console=ttyS0 quiet }
`;

const LABEL = { name: "security.selinux", value: Buffer.from("system_u:object_r:etc_t:s0\0") };
const ATTRIBUTES: Readonly<Record<string, TreeEntry["xattrs"]>> = {
  setuid: [
    { name: "security.capability", value: Buffer.from("0100000200040000000000000000000000000000", "hex") },
    LABEL,
  ],
  "": [LABEL],
  short: [LABEL],
  "dev/far": [LABEL],
  attributes: [
    { name: "trusted.long", value: Buffer.alloc(9000, 7) },
    { name: "user.a", value: Buffer.alloc(2000, 1) },
  ],
};

function treeWithAttributes(): FileTree {
  return kernelTree().map((entry) => {
    const xattrs = ATTRIBUTES[entry.path];
    return xattrs === undefined ? entry : { ...entry, xattrs };
  });
}

test("the kernel reads every entry as it was given", async () => {
  const { direct } = await buildProject(writeProject(CONFIG));
  const tree = treeWithAttributes();
  const image = encodeErofs(tree, { read, seed: "kernel", epoch: KERNEL_EPOCH, label: "odd" });
  const file = path.join(temporaryDir(), "image");
  const fd = fs.openSync(file, "w");
  for (const { offset, bytes } of image.writes()) fs.writeSync(fd, bytes, 0, bytes.length, offset);
  fs.ftruncateSync(fd, image.size);
  fs.closeSync(fd);
  await using machine = await bootFiles(
    {
      kind: "direct",
      kernel: path.join(direct!, "vmlinuz"),
      initrd: path.join(direct!, "initrd"),
      cmdline: "console=ttyS0 quiet",
    },
    { disks: [{ path: file, readonly: true }] },
  );
  await machine.ready;
  await guestOutput(machine, "mkdir -p /m && mount -t erofs -o ro /dev/vda /m");

  const odd = tree.filter(({ path: at }) => !/^(many|wide)\//.test(at) && !at.includes("\n"));
  const lines = listed(tree, { lostFound: false });
  const commands = odd.map((entry) => {
    const quoted = `'/m/${entry.path}'`;
    const content =
      entry.type === "file" ? `sha256sum < ${quoted}` : entry.type === "symlink" ? `readlink ${quoted}` : "echo";
    return `stat -c '%f %u %g %h %s %X %Y %Z %t:%T' ${quoted}; ${content}`;
  });
  const found = (await guestOutput(machine, commands.join("\n"))).split("\n");
  for (const [i, entry] of odd.entries()) {
    const line = found[2 * i]!.split(" ");
    if (entry.type === "directory") line[4] = "dir";
    const said = [entry.path, line.join(" "), found[2 * i + 1]!.replace(/ +-$/, "")];
    expect(said).toEqual([entry.path, lines[tree.indexOf(entry)], contentOf(entry)]);
  }

  for (const [at, xattrs] of Object.entries(ATTRIBUTES)) {
    const dump = await guestOutput(machine, `getfattr -h -d -m - -e hex --absolute-names '/m/${at}' | grep = | sort`);
    const lines = xattrs!.map(({ name, value }) => `${name}=0x${Buffer.from(value).toString("hex")}`).sort();
    expect([at, dump.trim().split("\n")]).toEqual([at, lines]);
  }

  // Each name is found by halving, and a listing has them all.
  for (const name of ["many", "wide"]) {
    const names = tree.filter(({ path: at }) => at.startsWith(`${name}/`)).map(({ path: at }) => at.slice(5));
    const sum = digestOf(
      names
        .sort(comparePaths)
        .map((one) => `${one}\n`)
        .join(""),
    ).hash;
    expect(await guestOutput(machine, `cd /m/${name} && ls | LC_ALL=C sort | sha256sum`)).toContain(sum);
    await guestOutput(
      machine,
      `cd /m/${name} && ls -d ${names
        .filter((_, i) => i % 100 === 0)
        .map((one) => `'${one}'`)
        .join(" ")} >/dev/null`,
    );
  }
  const bytes = tree.reduce(
    (sum, one) => sum + (one.type === "file" && one.path.startsWith("many/") ? one.content.size : 0),
    0,
  );
  expect(await guestOutput(machine, "cat /m/many/name*' '* | wc -c")).toBe(`${bytes}\n`);
  expect(await guestOutput(machine, "find /m -maxdepth 1 -size 10c -type f -print0 | od -An -tx1")).toBe(
    " 2f 6d 2f ff 20 0a 22 5c e9 00\n",
  );
  expect(await guestOutput(machine, "stat -c %i /m/link-1 /m/link-2 | uniq | wc -l")).toBe("1\n");
  expect(await guestOutput(machine, "dmesg | grep -i 'erofs.*\\(error\\|warn\\|corrupt\\)' || true")).toBe("");
}, 400_000);
