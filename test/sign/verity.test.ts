/** Verified roots: opened by their root hash, and no login for anybody when a bit of them was changed. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { bootFiles } from "../support/booted.ts";
import { runCli } from "../support/cli.ts";
import { needProgram } from "../support/need-program.ts";
import { testSigner } from "../support/signing.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const INIT = `#!/bin/busybox sh
/bin/busybox cat /etc/secret /mnt/marker /opt/marker
echo "log""in:"
/bin/busybox poweroff -f
`;

const CONFIG = `
name: verified
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees:
  host:
    from: [{ debian: [busybox-static], unpack: true }]
    files:
      /sbin/init: { file: ./init, mode: "0755" }
      /etc/secret: { content: "the text of the verified root\\n" }
      /dev: { directory: true }
      /mnt: { directory: true }
      /opt: { directory: true }
      /proc: { directory: true }
      /run: { directory: true }
      /sys: { directory: true }
  extra: { files: { /marker: "the marker of the second image\\n" } }
  third: { files: { /marker: "the marker of the third image\\n" } }
initramfs:
  init: busybox
  root: true
  verify: [host, { image: extra, mount: /mnt }, { image: third, mount: /opt }]
  modules: [virtio_pci, virtio_blk, erofs, squashfs, ext4]
images:
  host: { kind: erofs, tree: host, verity: true }
  extra: { kind: squashfs, tree: extra, verity: true }
  third: { kind: ext4, tree: third, verity: apart }
  third-hashes: { kind: verity-tree, of: third }
  uki: { kind: uki, cmdline: "console=ttyS0 panic=-1 quiet" }
  disk:
    kind: disk
    esp: [uki]
    espSize: 64MiB
    partitions: { host: { image: host, type: root }, extra: { image: extra }, third: { image: third }, third-verity: { image: third-hashes } }
`;

let images: Record<string, string> = {};

beforeAll(async () => {
  images = await buildProject(writeProject(CONFIG, { init: INIT }));
});

/** What a machine with this disk says until it ends. */
async function consoleOf(disk: string): Promise<string> {
  await using machine = await bootFiles({ kind: "uefi", medium: { kind: "image", path: disk } }, { ready: /login:/ });
  machine.ready.catch(() => {});
  await machine.ended;
  return machine.console.text;
}

/** A copy of the disk with one bit changed, `from` bytes behind the place where `content` stands. */
function tampered(content: Uint8Array, from = 0): string {
  const bytes = fs.readFileSync(images.disk!);
  const at = bytes.indexOf(content);
  expect(at).toBeGreaterThan(0);
  bytes[at + from]! ^= 1;
  const file = path.join(temporaryDir(), "disk.img");
  fs.writeFileSync(file, bytes);
  return file;
}

test("veritysetup verifies the images as they lie in out/", () => {
  for (const name of ["host", "extra"]) {
    const file = images[name]!;
    const size = fs.statSync(file).size;
    const bytes = fs.readFileSync(file);
    const at = bytes.lastIndexOf(Buffer.from("verity\0\0"));
    expect(at % 4096).toBe(0);
    expect(at).toBeLessThan(size);
    const words = ["dump", file, `--hash-offset=${at}`];
    const dump = execFileSync(needProgram("veritysetup", "cryptsetup-bin"), words, { encoding: "utf8" });
    expect(Number(/Data blocks:\s+(\d+)/.exec(dump)?.[1]) * 4096).toBe(at);
  }
});

test("veritysetup verifies an image whose hash tree is apart, and our verification does", async () => {
  const { third, "third-hashes": hashes } = images;
  const rootHash = /Root hash:\s+(\w+)/.exec(
    execFileSync(
      needProgram("veritysetup", "cryptsetup-bin"),
      ["format", third!, path.join(temporaryDir(), "tree"), saltOf(hashes!)],
      {
        encoding: "utf8",
      },
    ),
  )![1]!;
  execFileSync(needProgram("veritysetup", "cryptsetup-bin"), ["verify", third!, hashes!, rootHash], { stdio: "pipe" });
  const policy = path.join(temporaryDir(), "policy.yaml");
  fs.writeFileSync(policy, "trust: [any.crt]\nrequire: { signatures: false }\n");
  fs.writeFileSync(path.join(path.dirname(policy), "any.crt"), testSigner("any").certificateText);
  const { stdout } = await runCli(["verify", images.disk!, "--policy", policy], { cwd: path.dirname(policy) });
  expect(stdout).toMatch(new RegExp(`partition third  dm-verity, root hash ${rootHash}\\n    whole, as demanded by`));
});

/** The salt of a hash tree, as an option. */
const saltOf = (hashes: string): string =>
  `--salt=${fs
    .readFileSync(hashes)
    .subarray(88, 88 + 32)
    .toString("hex")}`;

test("a whole disk reaches its login, with all images in their places", async () => {
  const text = await consoleOf(images.disk!);
  expect(text).toContain("verity: host on /dev/vda2 is opened by its root hash");
  expect(text).toContain("the text of the verified root");
  expect(text).toContain("the marker of the second image");
  expect(text).toContain("the marker of the third image");
  expect(text).toContain("login:");
}, 300_000);

describe("one changed bit, and nobody gets a login; the console says why", () => {
  const superblock = Buffer.from("verity\0\0");
  const cases: Record<string, () => [Uint8Array, number?]> = {
    "in a file's data": () => [Buffer.from("the text of the verified root")],
    "in the hash tree": () => [superblock, 4096 + 3],
    "in the superblock's salt": () => [superblock, 88],
    "in the third image, an ext4": () => [Buffer.from("the marker of the third image")],
    "in a hash tree apart": () => [fs.readFileSync(images["third-hashes"]!).subarray(0, 32), 4096 + 7],
    "in the second image": () => [fs.readFileSync(images.extra!).subarray(0, 96), 40],
  };
  test.each(Object.keys(cases))(
    "%s",
    async (name) => {
      const text = await consoleOf(tampered(...cases[name]!()));
      expect(text).not.toContain("login:");
      expect(text).toMatch(
        /device-mapper: verity: .*(corrupted|error)|verity: \w+ on \S+ is not what was signed|Verity device detected corruption/,
      );
    },
    300_000,
  );
});

test("mistakes of a config are said with their places", async () => {
  const dir = writeProject(
    CONFIG.replace("verity: true }\n  extra", "verity: false }\n  extra").replace("mount: /mnt", "device: PARTLABEL=x"),
    {
      init: INIT,
    },
  );
  const { exit, stderr } = await runCli(["build"], { cwd: dir });
  expect(exit).toBe(2);
  expect(stderr).toMatch(/initramfs\.verify\[0\]: "host" has no hash tree: give it `verity: true`/);
  expect(stderr).toMatch(/initramfs\.verify\[1\]: say where "extra" belongs/);
});
