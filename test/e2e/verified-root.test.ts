/**
 * A verified root with no initramfs at all: the kernel of examples/truthdb, compiled once for all, opens it by the root hash on
 * its command line (`dm-mod.create=`). One changed bit, and it says so and stops.
 */
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { bootFiles } from "../support/booted.ts";
import { runCli } from "../support/cli.ts";
import { testSigner } from "../support/signing.ts";
import { buildProject, temporaryDir } from "../support/test-session.ts";
import { truthdbProject } from "../support/truthdb-project.ts";

const INIT = `#!/bin/busybox sh
/bin/busybox cat /etc/secret
echo "log""in:"
/bin/busybox poweroff -f
`;

const TREES = `
  trees: {
    root: {
      from: [{ debian: ["busybox-static"], unpack: true }],
      files: {
        "/sbin/init": { content: ${JSON.stringify(INIT)}, executable: true },
        "/etc/secret": "the text of the verified root\\n",
        "/dev": { directory: true },
        "/proc": { directory: true },
      },
    },
  },`;

const IMAGES = `
    root: { kind: "erofs", tree: "root", verity: true },
    verified: {
      kind: "uki",
      initramfs: "none",
      cmdline: "console=ttyS0 panic=-1",
      verity: { image: "root", device: "PARTLABEL=root" },
    },
    disk: {
      kind: "disk",
      esp: ["verified"],
      espSize: "64MiB",
      partitions: { root: { type: "root", image: "root" } },
    },
    other: { kind: "erofs", tree: "root", verity: "apart" },
    hashes: { kind: "verity-tree", of: "other" },
    apart: {
      kind: "uki",
      initramfs: "none",
      cmdline: "console=ttyS0 panic=-1",
      verity: { image: "other", device: "PARTLABEL=root", hashes: "PARTLABEL=hashes" },
    },
    "disk-apart": {
      kind: "disk",
      esp: ["apart"],
      espSize: "64MiB",
      partitions: { hashes: { type: "linux", image: "hashes" }, root: { type: "root", image: "other" } },
    },
  },
  machines: {},
});
`;

let project = "";
let disk = "";
let apart = "";

beforeAll(async () => {
  project = truthdbProject(
    (config) => `${config.slice(0, config.indexOf("  images: {"))}${TREES.slice(1)}\n  images: {${IMAGES}`,
  );
  const built = await buildProject(project);
  disk = built.disk!;
  apart = built["disk-apart"]!;
}, 3_600_000);

/** The disk with one bit changed, `from` bytes behind where `content` lies last. */
function tampered(content: string, from = 0): string {
  const bytes = Buffer.from(fs.readFileSync(disk));
  const at = bytes.lastIndexOf(content);
  expect(at).toBeGreaterThan(0);
  bytes[at + from]! ^= 1;
  const file = path.join(temporaryDir(), "disk.img");
  fs.writeFileSync(file, bytes);
  return file;
}

/** What a machine with this disk says until it ends. */
async function consoleOf(file: string): Promise<string> {
  await using machine = await bootFiles({ kind: "uefi", medium: { kind: "image", path: file } }, { ready: /login:/ });
  machine.ready.catch(() => {});
  await machine.ended;
  return machine.console.text;
}

test.each(["behind it", "apart"])(
  "the kernel opens it by itself, its hashes %s, and starts what is in it",
  async (hashes) => {
    const text = await consoleOf(hashes === "apart" ? apart : disk);
    expect(text).toMatch(
      /device-mapper: ioctl: dm-0 \((root|other)\) is ready[\s\S]*VFS: Mounted root \(erofs filesystem\) readonly/,
    );
    expect(text).toContain("the text of the verified root");
    expect(text).toContain("login:");
  },
  300_000,
);

const ALGORITHM = " sha256 ";

/** The first digit of the root hash, behind the name of its algorithm: with a bit changed it is another digit. */
function digitOfRootHash(): number {
  const bytes = fs.readFileSync(disk);
  const at = bytes.lastIndexOf(ALGORITHM) + ALGORITHM.length;
  return ALGORITHM.length + bytes.toString("latin1", at, at + 64).search(/\d/);
}

const CHANGES: Readonly<Record<string, () => [content: string, from: number]>> = {
  "in a file's data": () => ["the text of the verified root", 4],
  "in the hash tree": () => ["verity\0\0", 4096 + 3],
  "in the root hash on the command line": () => [ALGORITHM, digitOfRootHash()],
};

test.each(Object.keys(CHANGES))(
  "one changed bit %s: nobody gets a login; the kernel says why",
  async (where) => {
    const text = await consoleOf(tampered(...CHANGES[where]!()));
    expect(text).not.toContain("login:");
    expect(text).toMatch(/device-mapper: verity: .* is corrupted/);
    expect(text).toContain("Kernel panic - not syncing");
  },
  300_000,
);

test("verify reads the root hash off the command line", async () => {
  const policy = path.join(project, "policy.yaml");
  fs.writeFileSync(path.join(project, "any.crt"), testSigner("any").certificateText);
  fs.writeFileSync(policy, "trust: [any.crt]\nrequire: { signatures: false, verity: always }\n");
  const verify = (file: string) => runCli(["verify", file, "--policy", policy], { cwd: project });
  const whole = await verify(disk);
  expect(whole.stdout, whole.stderr).toMatch(/whole, as demanded by \S+:\/EFI\/BOOT\/BOOTX64\.EFI/);
  // The kernel is told all that the superblock says; a bit of it changes nothing at boot, and is found here.
  expect((await verify(tampered("verity\0\0", 88))).stdout).toMatch(
    /✗ verity {2}root on PARTLABEL=root: its root hash is/,
  );
});
