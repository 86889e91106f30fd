/**
 * Add-ons: a command line that differs between machines while the UKI, with its signature, stays. systemd's stub has the
 * firmware verify each, and says what the firmware said.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { secureBootVariables } from "../../src/api/secure-boot.ts";
import { concatBytes } from "../../src/base/bytes.ts";
import { attachSignatures, authenticodeDigest, removeSignatures, signDigest } from "../../src/formats/authenticode.ts";
import { sourceOfBytes } from "../../src/formats/byte-source.ts";
import { predictPcr11 } from "../../src/formats/pcr11.ts";
import { bootFiles, guestOutput } from "../support/booted.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { testSigner } from "../support/signing.ts";
import { softwareTpm } from "../support/software-tpm.ts";
import { buildProject, temporaryDir, withProject, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: addons
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox, modules: [tpm_tis] }
keys: { pk: { file: ./keys/pk }, kek: { file: ./keys/kek }, db: { file: ./keys/db } }
images:
  uki: { kind: uki, cmdline: console=ttyS0 quiet, stub: { suite: trixie }, sign: db }
  site: { kind: addon, of: uki, cmdline: "site.rack=7 site.row=b", sign: db }
  esp: { kind: esp, contains: [uki, site], format: directory }
  menu: { kind: esp, contains: [uki, site], menu: { tries: 3, timeout: 0 } }
`;

let project = "";
let images: Record<string, string> = {};

beforeAll(async () => {
  project = writeProject(CONFIG);
  expect(await runCli(["keys", "init"], { cwd: project })).toMatchObject({ exit: 0 });
  images = await buildProject(project);
}, 600_000);

const BESIDE = "EFI/BOOT/BOOTX64.EFI.extra.d";

/** The good add-on with other words of the same length, and a signature of its own kind. */
async function badAddons(): Promise<Record<string, Buffer>> {
  const good = fs.readFileSync(images.site!);
  const bare = Buffer.from(concatBytes([...removeSignatures(sourceOfBytes(good))]));
  const saying = (file: Buffer, words: string): Buffer => {
    const changed = Buffer.from(file);
    changed.write(words.padEnd("site.rack=7 site.row=b".length), changed.indexOf("site.rack=7"));
    return changed;
  };
  const strange = sourceOfBytes(saying(bare, "from.stranger"));
  const signature = await signDigest(testSigner("stranger"), authenticodeDigest(strange));
  return {
    unsigned: saying(bare, "not.signed"),
    tampered: saying(good, "tampered.with"),
    stranger: Buffer.from(concatBytes([...attachSignatures(strange, { signatures: [signature] })])),
  };
}

/** A register that was extended once, by a command line as EFI has it: UTF-16 with its NUL. */
function extended(cmdline: string): string {
  const event = createHash("sha256")
    .update(Buffer.from(`${cmdline}\0`, "utf16le"))
    .digest();
  return createHash("sha256").update(Buffer.alloc(32)).update(event).digest("hex");
}

test("under Secure Boot the signed add-on counts; the firmware refuses the others; PCR 12 has it, PCR 11 stays", async () => {
  const esp = temporaryDir();
  fs.cpSync(images.esp!, esp, { recursive: true, dereference: true });
  expect(fs.readdirSync(path.join(esp, BESIDE))).toEqual(["site.addon.efi"]);
  const bad = await badAddons();
  for (const [name, file] of Object.entries(bad)) fs.writeFileSync(path.join(esp, BESIDE, `${name}.addon.efi`), file);
  const vars = await withProject(project, {}, async ({ config, store }) => secureBootVariables(config, store));
  await using tpm = await softwareTpm("machine");
  await using machine = await bootFiles(
    { kind: "uefi", medium: { kind: "directory", path: esp }, secureBoot: { vars } },
    { extraArgs: tpm.qemuArgs, memory: 1024 ** 3 },
  );
  await machine.ready;
  expect(await guestOutput(machine, "cat /proc/cmdline")).toMatch(/^console=ttyS0 quiet site\.rack=7 site\.row=b\s*$/);
  expect(await guestOutput(machine, "dmesg")).toMatch(/secureboot: Secure boot enabled/);
  const pcr = async (number: number) =>
    (await guestOutput(machine, `cat /sys/class/tpm/tpm0/pcr-sha256/${number}`)).trim().toLowerCase();
  expect(await pcr(11)).toBe(predictPcr11(sourceOfBytes(fs.readFileSync(images.uki!)))[0]!.value);
  expect(await pcr(12)).toBe(extended("site.rack=7 site.row=b"));
  for (const name of Object.keys(bad))
    expect(machine.console.text).toMatch(new RegExp(`${name}\\.addon\\.efi.*(Access denied|Security violation)`, "i"));
}, 400_000);

test("behind a menu it counts, too, also for an entry whose tries are counted", async () => {
  await using machine = await bootFiles({ kind: "uefi", medium: { kind: "image", path: images.menu! } });
  await machine.ready;
  expect(await guestOutput(machine, "cat /proc/cmdline")).toMatch(/ site\.rack=7 site\.row=b/);
}, 400_000);

test("another command line of an add-on leaves the UKI and its signature as they are", async () => {
  const before = fs.readFileSync(images.uki!);
  const config = path.join(project, "bootwright.yaml");
  fs.writeFileSync(config, CONFIG.replace("rack=7", "rack=8"));
  const built = await runCli(["build", "esp", "--json"], { cwd: project });
  expect(built.exit, built.stderr).toBe(0);
  expect(documentOf(built)).toMatchObject({ ran: 3 }); // The add-on, its signature, the partition.
  const boot = path.join(project, "out/esp/EFI/BOOT");
  expect(fs.readFileSync(path.join(boot, "BOOTX64.EFI")).equals(before)).toBe(true);
  expect(fs.readFileSync(path.join(boot, "BOOTX64.EFI.extra.d/site.addon.efi")).includes("rack=8")).toBe(true);
  fs.writeFileSync(config, CONFIG);
  await buildProject(project);
}, 100_000);

test("verify holds each add-on against the policy, and inspect shows it", async () => {
  const esp = path.join(temporaryDir(), "esp");
  fs.cpSync(images.esp!, esp, { recursive: true, dereference: true });
  const good = await runCli(["verify", esp, "--json"], { cwd: project });
  expect(good.exit, good.stdout).toBe(0);
  expect(documentOf(good).programs).toMatchObject([
    { kind: "uki" },
    { kind: "addon", signedBy: ["key db"], cmdline: "site.rack=7 site.row=b" },
  ]);
  for (const [name, file] of Object.entries(await badAddons())) {
    fs.writeFileSync(path.join(esp, BESIDE, "site.addon.efi"), file);
    const result = await runCli(["verify", esp, "--json"], { cwd: project });
    expect(result.exit, name).toBe(7);
    expect(documentOf(result).violations).toMatchObject([{ rule: "signature", where: `${BESIDE}/site.addon.efi` }]);
  }
  const { stdout } = await runCli(["inspect", "site"], { cwd: project });
  expect(stdout).toMatch(/^addon .*\n[\s\S]*site\.rack=7/);
});

test("what cannot work is refused: an old stub, another kind, a partition without the UKI", async () => {
  const refused = async (change: (config: string) => string) => {
    const dir = writeProject(change(CONFIG.replaceAll(", sign: db", "")));
    return runCli(["build"], { cwd: dir });
  };
  expect(await refused((config) => config.replace(", stub: { suite: trixie }", ""))).toMatchObject({
    exit: 2,
    stderr: expect.stringMatching(/holds no \/usr\/lib\/systemd\/boot\/efi\/addonx64\.efi\.stub[\s\S]*suite: "trixie"/),
  });
  expect(await refused((config) => config.replace("of: uki", "of: esp"))).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining('"esp" is of kind "esp"; an add-on is for an image of kind "uki"'),
  });
  expect(
    await refused((config) => config.replace("contains: [uki, site], format", "contains: [site], format")),
  ).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining('"site" is an add-on of "uki", which is not in `contains` of this image'),
  });
}, 100_000);
