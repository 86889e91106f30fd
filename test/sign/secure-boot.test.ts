/**
 * Secure Boot with the project's own keys, under real firmware that enforces it. One machine is given all programs that
 * must not start, one after the other, and last the one that must: so each refusal is seen, and seen to be the firmware's.
 */
import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { beforeAll, expect, test } from "vitest";
import { secureBootVariables } from "../../src/api/secure-boot.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { attachSignatures, authenticodeDigest, removeSignatures, signDigest } from "../../src/formats/authenticode.ts";
import { sourceOfBytes } from "../../src/formats/byte-source.ts";
import { readPe } from "../../src/formats/pe.ts";
import { booted, bootFiles, guestOutput } from "../support/booted.ts";
import { runCli } from "../support/cli.ts";
import { testSigner } from "../support/signing.ts";
import { buildProject, temporaryDir, withProject, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: secure
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox }
keys: { pk: { file: ./keys/pk }, kek: { file: ./keys/kek }, db: { file: ./keys/db } }
images:
  uki: { kind: uki, cmdline: console=ttyS0 quiet, sign: db }
  revoked: { kind: uki, cmdline: console=ttyS0 revoked, sign: db }
  loader: { kind: efi, embed: none, cmdline: console=ttyS0 quiet, sign: db }
  menu: { kind: esp, contains: [uki, revoked], menu: { default: revoked, timeout: 0 } }
machines:
  uki: { image: uki, secureBoot: true }
  loader: { image: loader, secureBoot: true }
  menu: { image: menu, secureBoot: true }
`;

let project = "";
let images: Record<string, string> = {};

beforeAll(async () => {
  project = writeProject(CONFIG);
  expect(await runCli(["keys", "init"], { cwd: project })).toMatchObject({ exit: 0 });
  images = await buildProject(project);
});

const espWith = (program: Uint8Array): string => {
  const dir = temporaryDir();
  fs.mkdirSync(path.join(dir, "EFI/BOOT"), { recursive: true });
  fs.writeFileSync(path.join(dir, "EFI/BOOT/BOOTX64.EFI"), program);
  return dir;
};

/** A byte in the middle of each section, and one in the headers. */
function tampered(good: Buffer): Record<string, Buffer> {
  const pe = readPe(sourceOfBytes(good));
  const changed = (at: number): Buffer => {
    const bad = Buffer.from(good);
    bad[at]! ^= 1;
    return bad;
  };
  const sections = pe.sections.filter(({ rawSize }) => rawSize > 0);
  return {
    "tampered headers": changed(pe.optionalOffset + 44), // The image's own version number: nobody reads it.
    ...Object.fromEntries(
      sections.map(({ name, rawOffset, rawSize }) => [`tampered ${name}`, changed(rawOffset + (rawSize >> 1))]),
    ),
  };
}

test("the firmware starts what the project has signed, and nothing else", async () => {
  const good = fs.readFileSync(images.uki!);
  const source = sourceOfBytes(good);
  const bare = Buffer.from(concatBytes([...removeSignatures(source)]));
  const stranger = await signDigest(testSigner("stranger"), authenticodeDigest(source));
  const refused: Record<string, Buffer> = {
    unsigned: bare,
    "signed by a stranger": Buffer.from(
      concatBytes([...attachSignatures(sourceOfBytes(bare), { signatures: [stranger] })]),
    ),
    revoked: fs.readFileSync(images.revoked!),
    ...tampered(good),
  };
  const digest = authenticodeDigest(sourceOfBytes(refused.revoked!));
  const config = path.join(project, "bootwright.yaml");
  fs.writeFileSync(config, `${CONFIG}secureBoot: { revoke: ["${digest}"] }\n`);
  const vars = await withProject(project, {}, async ({ config: resolved, store }) =>
    secureBootVariables(resolved, store),
  );
  fs.writeFileSync(config, CONFIG);

  const names = [...Object.keys(refused), "signed"];
  expect(names.length).toBeGreaterThan(12);
  const slot = (i: number): string => (0x08 + i).toString(16);
  const disks = Object.entries({ ...refused, signed: good }).flatMap(([, program], i) => [
    ...["-drive", `if=none,id=try${i},format=raw,snapshot=on,file=fat:${espWith(program)}`],
    ...["-device", `virtio-blk-pci,drive=try${i},addr=0x${slot(i)},bootindex=${i + 1}`],
  ]);
  // The medium itself is an empty partition: firmware passes on from it.
  const empty = temporaryDir();
  await using machine = await bootFiles(
    { kind: "uefi", medium: { kind: "directory", path: empty }, secureBoot: { vars } },
    { extraArgs: disks, memory: 1024 ** 3 },
  );
  // A refusal makes a machine count as failed; this one goes on to the next disk.
  machine.ready.catch(() => {});
  for (let waited = 0; waited < 280 && !/secureboot: Secure boot enabled|\/ # /.test(machine.console.text); waited++)
    await sleep(1000);
  const text = machine.console.text;
  const verdict = (i: number): string =>
    new RegExp(
      `BdsDxe: (failed to load|starting) Boot\\w+ "[^"]*" from PciRoot\\(0x0\\)/Pci\\(0x${slot(i).toUpperCase()},0x0\\)(: [A-Za-z ]+)?`,
    )
      .exec(text)
      ?.slice(1)
      .join("") ?? "nothing said";
  const verdicts = Object.fromEntries(names.map((name, i) => [name, verdict(i)]));
  expect(verdicts).toEqual({
    ...Object.fromEntries(Object.keys(refused).map((name) => [name, "failed to load: Access Denied"])),
    signed: "starting",
  });
}, 400_000);

test("a machine of the config starts with Secure Boot on, and its kernel knows", async () => {
  await booted(project, { name: "uki" }, async (machine) => {
    expect(await guestOutput(machine, "dmesg")).toMatch(/secureboot: Secure boot enabled/);
  });
}, 400_000);

test("systemd-boot, signed, starts a signed kernel", async () => {
  await booted(project, { name: "loader" }, async (machine) => {
    expect(await guestOutput(machine, "dmesg")).toMatch(/secureboot: Secure boot enabled/);
  });
}, 400_000);

test("behind a menu, systemd-boot and the default entry are signed", async () => {
  await booted(project, { name: "menu" }, async (machine) => {
    expect(await guestOutput(machine, "cat /proc/cmdline")).toMatch(/ revoked/); // Not revoked for this machine.
    expect(await guestOutput(machine, "dmesg")).toMatch(/secureboot: Secure boot enabled/);
  });
}, 400_000);
