/**
 * What a UKI measures into a TPM: predicted by us, by systemd's own program, and measured by firmware and stub; and the
 * policies that are signed for it, here or on another machine.
 */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { beforeAll, expect, test } from "vitest";
import { sourceOfBytes } from "../../src/formats/byte-source.ts";
import { predictPcr11 } from "../../src/formats/pcr11.ts";
import { findPeSection, readPe, readPeText } from "../../src/formats/pe.ts";
import { booted, guestOutput } from "../support/booted.ts";
import { documentOf, runCli } from "../support/cli.ts";
import { softwareTpm } from "../support/software-tpm.ts";
import { buildProject, temporaryDir, writeProject } from "../support/test-session.ts";

const CONFIG = `
name: measured
version: "1.0"
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: busybox, modules: [tpm_tis] }
keys: { pk: { file: ./keys/pk }, kek: { file: ./keys/kek }, db: { file: ./keys/db }, pcr: { file: ./keys/pcr } }
images: { uki: { kind: uki, cmdline: console=ttyS0 quiet, sign: db, pcr: { sign: pcr } } }
machines: { uki: { image: uki, args: [] } }
`;

let project = "";
let uki = Buffer.alloc(0);
const parts = temporaryDir();

beforeAll(async () => {
  project = writeProject(CONFIG);
  expect(await runCli(["keys", "init"], { cwd: project })).toMatchObject({ exit: 0 });
  uki = fs.readFileSync((await buildProject(project)).uki!);
}, 300_000);

const MEASURE = "/usr/lib/systemd/systemd-measure";

/** Sections as they lie in memory, in files, as options of systemd-measure. */
function sectionOptions(): readonly string[] {
  const { sections } = readPe(sourceOfBytes(uki));
  return ["linux", "osrel", "cmdline", "initrd", "pcrpkey"].map((name) => {
    const section = sections.find((one) => one.name === `.${name}`)!;
    const content = Buffer.alloc(section.virtualSize);
    uki.copy(content, 0, section.rawOffset, section.rawOffset + Math.min(section.rawSize, section.virtualSize));
    const file = path.join(parts, name);
    fs.writeFileSync(file, content);
    return `--${name}=${file}`;
  });
}

const sectionText = (image: Buffer, name: string): string => {
  const source = sourceOfBytes(image);
  return readPeText(source, findPeSection(readPe(source), name)!);
};

test("systemd-measure predicts the same", () => {
  const words = ["calculate", "--bank=sha256", "--json=short", ...sectionOptions()];
  const { sha256 } = JSON.parse(execFileSync(MEASURE, words, { encoding: "utf8" }));
  const predicted = predictPcr11(sourceOfBytes(uki)).slice(1);
  expect(predicted.length).toBe(4);
  expect(sha256).toEqual(predicted.map(({ phase, value }) => ({ phase, pcr: 11, hash: value })));
});

test("systemd-measure signs the same with the same key, to the last byte", async () => {
  await using tpm = await softwareTpm("host");
  const key = path.join(project, "keys/pcr.key");
  const pem = path.join(parts, "pcrpkey");
  const words = [`--tpm2-device=${tpm.device}`, `--private-key=${key}`, `--public-key=${pem}`, ...sectionOptions()];
  const text = execFileSync(MEASURE, ["sign", "--bank=sha256", "--json=short", ...words], { encoding: "utf8" });
  expect(sectionText(uki, ".pcrsig")).toBe(text);
});

/** PCR 11 as a machine with this image sees it. */
async function measured(config: string, dir: string): Promise<string> {
  await using tpm = await softwareTpm("machine");
  const file = path.join(dir, "bootwright.yaml");
  fs.writeFileSync(file, config.replace("args: []", `args: ${JSON.stringify(tpm.qemuArgs)}`));
  let value = "";
  await booted(dir, { name: "uki" }, async (machine) => {
    value = await guestOutput(machine, "cat /sys/class/tpm/tpm0/pcr-sha256/11");
  });
  fs.writeFileSync(file, config);
  return value.trim().toLowerCase();
}

test("firmware and stub measure what was predicted", async () => {
  expect(await measured(CONFIG, project)).toBe(predictPcr11(sourceOfBytes(uki))[0]!.value);
}, 400_000);

test("a newer stub measures more sections, and that is predicted, too", async () => {
  const newer = `${CONFIG.replace(/, sign: db, pcr: .*? \}/, "")}sources: { debian: { suite: trixie } }\n`;
  const dir = writeProject(newer);
  const image = sourceOfBytes(fs.readFileSync((await buildProject(dir)).uki!));
  expect(readPeText(image, findPeSection(readPe(image), ".sdmagic")!)).toMatch(/systemd-stub 257/);
  expect(await measured(newer, dir)).toBe(predictPcr11(image)[0]!.value);
}, 600_000);

test("inspect shows it", async () => {
  const { stdout } = await runCli(["inspect", "uki"], { cwd: project });
  for (const { value } of predictPcr11(sourceOfBytes(uki))) expect(stdout).toContain(value);
});

test("verify holds the policies against the image and its key", async () => {
  const verified = await runCli(["verify", "uki", "--json"], { cwd: project });
  expect(verified.exit, verified.stdout).toBe(0);
  expect(documentOf(verified).programs[0].pcr11).toEqual(predictPcr11(sourceOfBytes(uki)));
  const lax = path.join(project, "lax.yaml");
  fs.writeFileSync(lax, "trust: [keys/db.crt]\nrequire: { signatures: false }\n");
  const messageOf = async (search: string, change: (bytes: Buffer, at: number) => void): Promise<string> => {
    const bad = Buffer.from(uki);
    change(bad, bad.lastIndexOf(search));
    fs.writeFileSync(path.join(project, "bad.efi"), bad);
    const result = await runCli(["verify", "./bad.efi", "--policy", "lax.yaml", "--json"], { cwd: project });
    expect(result.exit).toBe(7);
    const { violations } = documentOf(result);
    expect(violations[0]).toMatchObject({ rule: "tpm-policy", where: "./bad.efi" });
    return violations[0].message;
  };
  // Another command line: none of the policies is of this image.
  expect(await messageOf("ttyS0 quiet", (bytes, at) => bytes.write("ttyS1", at))).toMatch(
    /something else than this image/,
  );
  const other = (bytes: Buffer, at: number) => bytes.write(bytes[at + 9] === 65 ? "B" : "A", at + 9);
  expect(await messageOf('"sig":"', other)).toMatch(/the signature of the TPM policy [0-9a-f]{64} is not by/);
});

test("the keys may be elsewhere: policies first, then the image that holds them; the same bytes", async () => {
  const vault = temporaryDir();
  const there = temporaryDir();
  fs.cpSync(project, there, { recursive: true, filter: (name) => !/\/(out|signatures)$/.test(name) });
  for (const name of ["db", "pcr"]) {
    fs.renameSync(path.join(there, `keys/${name}.key`), path.join(vault, `${name}.key`));
    fs.copyFileSync(path.join(there, `keys/${name}.crt`), path.join(vault, `${name}.crt`));
  }
  const ok = async (...args: string[]) => {
    const result = await runCli([...args, "--json"], { cwd: there });
    expect(result.exit, result.stderr).toBe(0);
    return documentOf(result);
  };
  const request = path.join(there, "out/signing-request");
  const first = await ok("build");
  expect(first.unsigned).toHaveLength(4);
  expect(first.unsigned).toMatchObject(Array.from({ length: 4 }, () => ({ what: "uki uki, TPM policy", key: "pcr" })));
  const shown = await runCli(["sign", request, "--keys", vault, "--dry-run"], { cwd: there });
  expect(shown.stdout).toMatch(/phase: enter-initrd:leave-initrd:sysinit:ready\n {4}PCR 11: [0-9a-f]{64}/);
  await ok("sign", request, "--keys", vault);
  expect((await ok("attach", request)).unsigned).toMatchObject([{ what: "uki uki", key: "db" }]);
  await ok("sign", request, "--keys", vault);
  expect((await ok("attach", request)).unsigned).toEqual([]);
  expect(fs.readFileSync(path.join(there, "out/uki.efi")).equals(uki)).toBe(true);
});

test("an EC key is refused with what to do", async () => {
  const dir = writeProject(CONFIG.replace("./keys/pcr }", "./keys/pcr, type: p256 }"));
  expect(await runCli(["keys", "init"], { cwd: dir })).toMatchObject({ exit: 0 });
  expect(await runCli(["build"], { cwd: dir })).toMatchObject({
    exit: 3,
    stderr: expect.stringMatching(/signed with RSA keys/),
  });
});
