/** A project that needs no mirror: kernel, BusyBox and EFI stub are files beside its config. It builds in about a second. */
import fs from "node:fs";
import path from "node:path";
import { readNewc } from "../../src/formats/newc-reader.ts";
import { buildProject, temporaryDir, writeProject } from "./test-session.ts";

const PARTS = `
name: parts
kernel: { from: debian, package: linux-image-cloud-amd64 }
initramfs: { init: none, compress: none, from: [{ debian: [busybox-static, systemd-boot-efi], unpack: true }] }
images: { kernel: { kind: kernel }, programs: { kind: cpio } }
`;

export const LOCAL_CONFIG = `
name: local
kernel: { from: file, image: ./vmlinuz }
initramfs:
  init: busybox
  busybox: ./busybox
  from: [{ dir: ./overlay }]
  files: { /etc/motd: { file: ./motd } }
images:
  uki: { kind: uki, stub: ./stub, cmdline: console=ttyS0 quiet }
  direct: { kind: kernel, cmdline: console=ttyS0 quiet }
  esp: { kind: esp, contains: [uki] }
`;

/** Writes the project into `dir`, which need not be there. `files` add to it or replace parts of it. */
export async function localProject(
  files: Readonly<Record<string, string>> = {},
  dir = temporaryDir(),
): Promise<string> {
  const from = await localParts();
  fs.mkdirSync(dir, { recursive: true });
  for (const name of PART_NAMES) fs.copyFileSync(path.join(from, name), path.join(dir, name));
  return writeProject(LOCAL_CONFIG, { motd: "hello\n", "overlay/opt/tool": "#!/bin/sh\necho tool\n", ...files }, dir);
}

const PART_NAMES = ["vmlinuz", "busybox", "stub"] as const;

let parts: Promise<string> | undefined;

/** Taken out of Debian's packages, once for a test file. */
const localParts = (): Promise<string> => (parts ??= extractParts());

async function extractParts(): Promise<string> {
  const dir = temporaryDir();
  const files = await buildProject(writeProject(PARTS));
  fs.copyFileSync(path.join(files.kernel!, "vmlinuz"), path.join(dir, "vmlinuz"));
  const archive = fs.readFileSync(files.programs!);
  const { entries } = readNewc(archive);
  for (const [name, at] of [
    ["busybox", "bin/busybox"],
    ["stub", "usr/lib/systemd/boot/efi/linuxx64.efi.stub"],
  ] as const) {
    const entry = entries.find((candidate) => candidate.path === at && candidate.size > 0);
    if (entry === undefined) throw new Error(`Debian's package holds no ${at}`);
    fs.writeFileSync(path.join(dir, name), archive.subarray(entry.offset, entry.offset + entry.size));
  }
  return dir;
}
