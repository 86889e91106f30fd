/** `bootwright verify`: what holds, and each way in which an image may not. */
import fs from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { sourceOfBytes } from "../../src/formats/byte-source.ts";
import { readFat } from "../../src/formats/fat-reader.ts";
import { readGpt } from "../../src/formats/gpt-reader.ts";
import { type CliResult, documentOf, runCli } from "../support/cli.ts";
import { localProject } from "../support/local-project.ts";
import { testSigner } from "../support/signing.ts";
import { temporaryDir } from "../support/test-session.ts";

const CONFIG = `
name: host
version: "1.2"
kernel: { from: debian, package: linux-image-cloud-amd64 }
keys: { pk: { file: ./keys/pk }, kek: { file: ./keys/kek }, db: { file: ./keys/db } }
trees:
  host: { files: { /dev: { directory: true }, /proc: { directory: true }, /run: { directory: true }, /sys: { directory: true }, /big: { file: ./vmlinuz } } }
initramfs:
  plain: { init: busybox, busybox: ./busybox, root: true, verify: [host] }
  slots: { init: busybox, busybox: ./busybox, root: true, verify: [{ image: host, device: "PARTLABEL=host-{slot}" }] }
images:
  host: { kind: erofs, tree: host, verity: true }
  uki: { kind: uki, initramfs: plain, stub: ./stub, cmdline: console=ttyS0 quiet, sign: db }
  unsigned: { kind: uki, initramfs: plain, stub: ./stub, cmdline: console=ttyS0 quiet }
  direct: { kind: uki, stub: ./stub, initramfs: none, verity: { image: host, device: PARTLABEL=host }, sign: db }
  esp: { kind: esp, contains: [uki] }
  disk: { kind: disk, esp: [uki], partitions: { host: { image: host, type: root } } }
  direct-disk: { kind: disk, esp: [direct], partitions: { host: { image: host, type: root } } }
  ab-uki: { kind: uki, initramfs: slots, stub: ./stub, cmdline: console=ttyS0, sign: db }
  ab: { kind: disk, layout: ab, esp: [ab-uki], slots: [host] }
  cd: { kind: iso, boot: uki }
`;

let project = "";
let strange = "";
const vault = temporaryDir();
const verify = (ref: string, ...more: string[]): Promise<CliResult> =>
  runCli(["verify", ref, "--json", ...more], { cwd: project });
const rules = (result: CliResult): string[] =>
  documentOf(result).violations.map(({ rule, where }: { rule: string; where: string }) => `${rule} ${where}`);
const out = (name: string) => path.join(project, "out", name);

beforeAll(async () => {
  project = await localProject({ "bootwright.yaml": CONFIG });
  const keys = await runCli(["keys", "init"], { cwd: project });
  expect(keys.exit, keys.stderr).toBe(0);
  const built = await runCli(["build"], { cwd: project });
  expect(built.exit, built.stderr).toBe(0);
  strange = path.join(vault, "stranger.crt");
  fs.writeFileSync(strange, testSigner("stranger").certificateText);
}, 300_000);

/** A copy of an image with a byte changed. */
function changed(name: string, at: (bytes: Buffer) => number): string {
  const bytes = fs.readFileSync(out(name));
  const offset = at(bytes);
  expect(offset).toBeGreaterThan(0);
  bytes[offset]! ^= 1;
  const file = path.join(temporaryDir(), name);
  fs.writeFileSync(file, bytes);
  return file;
}

function policy(text: string): string {
  const file = path.join(temporaryDir(), "policy.yaml");
  fs.writeFileSync(file, text.replaceAll("KEYS", path.join(project, "keys")));
  return file;
}

describe("what holds", () => {
  test.each(["uki", "direct", "esp", "disk", "direct-disk", "ab", "cd"])("%s", async (name) => {
    const result = await verify(name);
    expect(result.exit, result.stdout).toBe(0);
    const { ok, programs, violations } = documentOf(result);
    expect({ ok, violations }).toEqual({ ok: true, violations: [] });
    expect(programs).toMatchObject([
      { kind: "uki", version: "1.2", signedBy: ["key db"], demands: [{ name: "host" }] },
    ]);
  });

  test("the root of a disk is hashed, and is what the signed program demands", async () => {
    for (const name of ["disk", "direct-disk"]) {
      const { verity, programs } = documentOf(await verify(name));
      expect(verity).toMatchObject([{ where: "partition host", demandedBy: [programs[0].where] }]);
      expect(verity[0].rootHash).toBe(programs[0].demands[0].rootHash);
    }
  });

  test("of two slots the one that the program lies in is hashed; the other is empty yet", async () => {
    const { verity } = documentOf(await verify("ab"));
    expect(verity).toMatchObject([
      { where: "partition host-a", demandedBy: [expect.stringMatching(/^esp-a:\/EFI\/BOOT\/BOOTX64\.EFI$/)] },
    ]);
  });

  test("text for people", async () => {
    const { stdout, stderr, exit } = await runCli(["verify", "./out/disk.img"], { cwd: project });
    expect(exit).toBe(0);
    expect(stdout).toMatch(/both partition tables agree\n {2}\S+:\/EFI\/BOOT\/BOOTX64.EFI {2}uki\n/);
    expect(stdout).toMatch(/whole, as demanded by \S+:\/EFI\/BOOT\/BOOTX64\.EFI/);
    expect(stderr).toContain("holds");
  });

  test("a directory in the place of a system partition", async () => {
    const dir = temporaryDir();
    const fat = readFat(sourceOfBytes(fs.readFileSync(out("esp.img"))));
    for (const entry of fat.entries.filter(({ type }) => type === "file")) {
      fs.mkdirSync(path.join(dir, path.dirname(entry.path)), { recursive: true });
      fs.writeFileSync(path.join(dir, entry.path), Buffer.concat([...fat.read(entry)]));
    }
    expect(await verify(dir)).toMatchObject({ exit: 0 });
  });
});

describe("what does not hold is named, with exit 7", () => {
  const cases: Record<string, { readonly ref: () => string; readonly found: readonly RegExp[] }> = {
    "an unsigned program": { ref: () => out("unsigned.efi"), found: [/^signature .*unsigned\.efi$/] },
    "a byte in a section": {
      ref: () => changed("uki.efi", (bytes) => bytes.indexOf("console=ttyS0 quiet")),
      found: [/^signature /],
    },
    "a byte in a section, on a disk": {
      ref: () => changed("disk.img", (bytes) => bytes.indexOf("console=ttyS0 quiet")),
      found: [/^signature \S+:\/EFI\/BOOT\/BOOTX64\.EFI$/],
    },
    "a byte in a section, on a CD": {
      ref: () => changed("cd.iso", (bytes) => bytes.indexOf("console=ttyS0 quiet")),
      found: [/^signature /],
    },
    "a byte of the root": { ref: () => changed("disk.img", (b) => rootOf(b) + 100_000), found: [/^verity host on /] },
    "a byte of the root, opened by the kernel": {
      ref: () => changed("direct-disk.img", (b) => rootOf(b) + 100_000),
      found: [/^verity host on /],
    },
    "a byte of the hash tree": {
      ref: () => changed("disk.img", (b) => b.lastIndexOf("verity\0\0") + 4096 + 5),
      found: [/^verity host on /],
    },
    "a byte of the superblock's salt": {
      ref: () => changed("disk.img", (b) => b.lastIndexOf("verity\0\0") + 90),
      found: [/^verity host on /],
    },
    "the first partition table": { ref: () => changed("disk.img", () => 512 + 60), found: [/^partition-table disk$/] },
    "the second partition table": {
      ref: () => changed("disk.img", (b) => b.length - 512 + 60),
      found: [/^partition-table disk$/],
    },
  };
  test.each(Object.keys(cases))("%s", async (name) => {
    const { ref, found } = cases[name]!;
    const result = await verify(ref());
    expect(result.exit, result.stderr).toBe(7);
    expect(documentOf(result).ok).toBe(false);
    expect(rules(result)).toEqual(found.map((one) => expect.stringMatching(one)));
  });

  const rootOf = (bytes: Buffer): number =>
    readGpt(sourceOfBytes(bytes)).partitions.find(({ name }) => name === "host")!.offset;
});

describe("a policy", () => {
  test("of a stranger's certificate", async () => {
    const result = await verify("disk", "--policy", policy(`trust: [${strange}]\n`));
    expect(result.exit).toBe(7);
    expect(rules(result)).toEqual([expect.stringMatching(/^signature /)]);
  });

  test("that wants two signers, newer versions, and nothing beside the program", async () => {
    const file = policy(`
trust: [KEYS/db.crt]
signers: [${strange}]
revoke: ["${documentOf(await verify("uki")).programs[0].digest}", KEYS/db.crt]
minimum: { version: "1.10", kernel: "99" }
require: { onlySigned: true }
`);
    const result = await verify("uki", "--policy", file);
    const { violations } = documentOf(result);
    expect(result.exit).toBe(7);
    expect(violations.map(({ rule }: { rule: string }) => rule)).toEqual([
      ...["signer", "revoked", "revoked", "version", "kernel"],
    ]);
    expect(violations[3]).toMatchObject({ message: expect.stringContaining("1.2"), expected: "1.10 or newer" });
  });

  test("in JSON", async () => {
    const file = path.join(temporaryDir(), "policy.json");
    const minimum = { version: "1.2" };
    fs.writeFileSync(file, JSON.stringify({ trust: [path.join(project, "keys/db.crt")], minimum }));
    expect(await verify("disk", "--policy", file)).toMatchObject({ exit: 0 });
  });

  test("with mistakes: all of them, with their places", async () => {
    const file = policy("trst: [KEYS/db.crt]\nrequire: { verity: allways }\n");
    const { exit, stderr } = await runCli(["verify", "uki", "--policy", file], { cwd: project });
    expect(exit).toBe(2);
    expect(stderr).toMatch(/trst: unknown key[^✗]*did you mean "trust"\?/);
    expect(stderr).toMatch(/require\.verity: expected one of [^✗]*did you mean "always"\?/);
    expect(stderr).toMatch(/policy\.yaml:2:20/);
  });

  test("outside of a project there must be one", async () => {
    const { exit, stderr } = await runCli(["verify", out("disk.img")], { cwd: temporaryDir() });
    expect(exit).toBe(2);
    expect(stderr).toContain("--policy FILE");
  });
});

describe("hostile images are refused with a code, or named", () => {
  test("what is nothing that boots", async () => {
    const file = path.join(temporaryDir(), "x.img");
    fs.writeFileSync(file, Buffer.alloc(100_000, 7));
    expect(await verify(file)).toMatchObject({ exit: 7, stdout: expect.stringContaining("FORMAT_INVALID") });
  });

  test("cut off anywhere, a disk neither holds nor crashes", async () => {
    const bytes = fs.readFileSync(out("disk.img"));
    for (const part of [0.1, 0.5, 0.9, 0.999]) {
      const file = path.join(temporaryDir(), "disk.img");
      fs.writeFileSync(file, bytes.subarray(0, Math.floor(bytes.length * part)));
      const { exit, stdout } = await verify(file);
      expect(exit).toBe(7);
      expect(stdout).toMatch(/FORMAT_INVALID|"rule"/);
    }
  });
});
