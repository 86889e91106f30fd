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
import { addVariables, type EfiVariable } from "../../src/formats/efi-variable-store.ts";
import { readPe } from "../../src/formats/pe.ts";
import { readTar } from "../../src/formats/tar-reader.ts";
import { loadSigner } from "../../src/sign/load-signer.ts";
import { keySchema } from "../../src/sign/schema.ts";
import { booted, bootFiles, guestOutput } from "../support/booted.ts";
import { runCli } from "../support/cli.ts";
import { testSigner } from "../support/signing.ts";
import { buildProject, temporaryDir, withProject, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: secure
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees: { shim: { from: [{ debian: [shim-unsigned], unpack: true }] } }
initramfs: { init: busybox }
keys: { pk: { file: ./keys/pk }, kek: { file: ./keys/kek }, db: { file: ./keys/db } }
images:
  uki: { kind: uki, cmdline: console=ttyS0 quiet, sign: db }
  revoked: { kind: uki, cmdline: console=ttyS0 revoked, sign: db }
  loader: { kind: efi, embed: none, cmdline: console=ttyS0 quiet, sign: db }
  older: { kind: uki, cmdline: console=ttyS0 quiet, sign: db, sbat: older.csv }
  newer: { kind: uki, cmdline: console=ttyS0 quiet, sign: db, sbat: newer.csv }
  shim: { kind: tar, tree: shim, compress: none }
  menu: { kind: esp, contains: [uki, revoked], menu: { default: revoked, timeout: 0 } }
machines:
  uki: { image: uki, secureBoot: true }
  loader: { image: loader, secureBoot: true }
  menu: { image: menu, secureBoot: true }
`;

const sbat = (generation: number): string =>
  `sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\nsecure,${generation},Test,secure,1,https://example.org\n`;

let project = "";
let images: Record<string, string> = {};

beforeAll(async () => {
  project = writeProject(CONFIG, { "older.csv": sbat(1), "newer.csv": sbat(2) });
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

/** Debian's shim, signed with the project's key. */
async function signedShim(): Promise<Buffer> {
  for await (const member of readTar(fs.createReadStream(images.shim!))) {
    if (!member.path.endsWith("/shimx64.efi")) continue;
    const chunks: Uint8Array[] = [];
    for await (const chunk of member.content()) chunks.push(chunk);
    const shim = sourceOfBytes(Buffer.concat(chunks));
    const signature = await signDigest(
      loadSigner(keySchema.parse({ file: "./keys/db" }), project),
      authenticodeDigest(shim),
    );
    return Buffer.from(concatBytes([...attachSignatures(shim, { signatures: [signature] })]));
  }
  throw new Error("the package has no shimx64.efi");
}

/** What is said until `seen`, by shim whose SbatLevel asks for the project's second generation; newer than shim's own, it stays. */
async function bootBehindShim(uki: string, seen: RegExp): Promise<string> {
  const esp = espWith(await signedShim());
  fs.copyFileSync(uki, path.join(esp, "EFI/BOOT/grubx64.efi"));
  const enrolled = await withProject(project, {}, async ({ config, store }) => secureBootVariables(config, store));
  const level: EfiVariable = {
    ...{
      name: "SbatLevel",
      vendor: "605dab50-e046-4300-abb6-3dd810dd8b23",
      attributes: 3,
      timestamp: Buffer.alloc(16),
    },
    data: Buffer.from("sbat,1,2099010100\nshim,4\nsecure,2\n"),
  };
  const vars = path.join(temporaryDir(), "vars.fd");
  fs.writeFileSync(vars, addVariables(fs.readFileSync(enrolled), [level]));
  await using machine = await bootFiles(
    { kind: "uefi", medium: { kind: "directory", path: esp }, secureBoot: { vars } },
    { memory: 1024 ** 3 },
  );
  machine.ready.catch(() => {});
  for (let waited = 0; waited < 150 && !seen.test(machine.console.text); waited++) await sleep(1000);
  return machine.console.text;
}

/**
 * The firmware starts both: their signatures are the same. How far the current one comes is not shim's word: shim 16 also
 * checks what systemd's stub loads, and refuses the kernel, which the stub hands over by its size in memory.
 */
test("shim refuses a UKI whose SBAT generation is revoked, and starts a current one", async () => {
  const refused = await bootBehindShim(images.older!, /Security Violation/);
  expect(refused).toMatch(/Verification failed: \(0x1A\) Security Violation/);
  expect(refused).not.toMatch(STUB);
  const current = await bootBehindShim(images.newer!, STUB);
  expect(current).not.toMatch(/\(0x1A\) Security Violation/);
  expect(current).toMatch(STUB);
}, 600_000);

/** Only systemd's stub says this, or the kernel behind it. */
const STUB = /Error loading kernel image|Linux version|\/ # /;
