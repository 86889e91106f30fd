/**
 * A disk of 1.5 GB with a signed UKI, by Bootwright and by mkosi from the same root and the same initramfs, in turns: CPU
 * time, children included. mkosi and its tools come from a later Debian, as a root that Bootwright makes; it is given the
 * root ready made and keeps its cache, so that neither side installs packages. mkosi has no way to know that nothing
 * changed: `--force` is how its users build again.
 */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { BenchRow } from "./formats.ts";
import { type CpuBench, newKeys } from "./signed.ts";

export interface MkosiBench extends CpuBench {
  /** CPU seconds of any program, those of children included. */
  readonly cpuOf: (argv: readonly string[], options: { cwd: string; env?: Record<string, string> }) => number;
}

const MIB = 1024 * 1024;
const ROUNDS = 3;

const TOOLS = [
  ...["apt", "bash", "coreutils", "cpio", "dosfstools", "dpkg", "e2fsprogs", "kmod", "mkosi", "mtools", "openssl"],
  ...[
    "python3",
    "python3-cryptography",
    "python3-pefile",
    "sbsigntool",
    "systemd",
    "systemd-boot-efi",
    "systemd-repart",
  ],
  ...["systemd-ukify", "tar", "udev", "util-linux", "zstd"],
];
const PACKAGES = ["dbus", "iproute2", "kmod", "openssh-server", "systemd-sysv", "udev"];

const toolsConfig = `import { defineProject } from "bootwright";

export default defineProject({
  name: "mkosi-tools",
  sources: { debian: { suite: "trixie" } },
  trees: { tools: { from: [{ debian: ${JSON.stringify(TOOLS)} }] } },
  images: { tools: { kind: "tar", tree: "tools", compress: "none" } },
});
`;

const ourConfig = (more: string) => `import { defineProject } from "bootwright";

export default defineProject({
  name: "beside-mkosi",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
  trees: { host: { from: [{ debian: ${JSON.stringify(PACKAGES)} }, { dir: "./root" }] } },
  initramfs: { init: "busybox", root: true },
  keys: { db: { file: "./keys/db" } },
  images: {
    uki: { kind: "uki", cmdline: "root=PARTLABEL=root", sign: "db" },
    disk: { kind: "disk", esp: ["uki"], espSize: "256MiB", tree: "host" },
    ${more}
  },
});
`;

const mkosiConfig = (tools: string) => `[Distribution]
Distribution=custom
[Output]
Format=disk
ImageId=disk
OutputDirectory=out
ManifestFormat=
RepartDirectories=repart
[Content]
BaseTrees=base
Bootable=yes
Bootloader=uki
Initrds=initrd.cpio
UnifiedKernelImages=yes
KernelCommandLine=root=PARTLABEL=root
[Validation]
SecureBoot=yes
SecureBootAutoEnroll=no
SecureBootKey=keys/db.key
SecureBootCertificate=keys/db.crt
SecureBootSignTool=sbsign
[Build]
ToolsTree=${tools}
CacheDirectory=cache
Incremental=yes
`;

const REPART = {
  "00-esp.conf": "Type=esp\nFormat=vfat\nCopyFiles=/efi:/\nCopyFiles=/boot:/\nSizeMinBytes=256M\nSizeMaxBytes=256M\n",
  "10-root.conf": "Type=root\nLabel=root\nFormat=ext4\nCopyFiles=/\nMinimize=guess\n",
};

export function rows(bench: MkosiBench): BenchRow[] {
  const tools = unpacked(bench, bench.makeProject("mkosi-tools", toolsConfig), "tools");
  const project = ourProject(bench, tools);
  const theirs = theirProject(bench, { project, tools });
  const mkosi = (): number =>
    bench.cpuOf(["python3", "-m", "mkosi", "--force", "build"], {
      cwd: theirs,
      env: { PYTHONPATH: path.join(tools, "usr/lib/python3/dist-packages") },
    });
  bench.bootwright(project, "build");
  mkosi();

  let round = 0;
  const changed = inTurns(bench, {
    before: () => {
      round += 1;
      bench.writeFile(project, "root/opt/changed", `${round}\n`);
      bench.writeFile(theirs, "base/opt/changed", `${round}\n`);
    },
    ours: () => bench.cpu(project, "build"),
    theirs: mkosi,
  });
  bench.settle();
  bench.bootwright(project, "build");
  const unchanged = inTurns(bench, { before: () => {}, ours: () => bench.cpu(project, "build"), theirs: mkosi });
  const keys = inTurns(bench, {
    before: () => {
      newKeys(bench, project);
      fs.cpSync(path.join(project, "keys"), path.join(theirs, "keys"), { recursive: true });
    },
    ours: () => bench.cpu(project, "build"),
    theirs: mkosi,
  });
  const size = (file: string) => (fs.statSync(file).size / 1e9).toFixed(2);
  const sizes = `${size(path.join(project, "out/disk.img"))} GB; mkosi ${size(path.join(theirs, "out/disk.raw"))} GB`;
  return [
    { name: "beside mkosi, one changed file", ...changed, unit: "s", note: `CPU; disk of ${sizes}` },
    { name: "beside mkosi, nothing changed", ...unchanged, unit: "s", note: "CPU; mkosi --force" },
    { name: "beside mkosi, only keys changed", ...keys, unit: "s", note: "CPU" },
  ];
}

/** Medians of turns that follow one another. */
function inTurns(
  { median, settle }: MkosiBench,
  { before, ours, theirs }: { before: () => void; ours: () => number; theirs: () => number },
): { ours: number; theirs: number } {
  const measured: number[] = [];
  const own = median(ROUNDS, () => {
    before();
    settle();
    const seconds = ours();
    measured.push(theirs());
    return seconds;
  });
  return { ours: own, theirs: measured.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]! };
}

/** The root file system has what mkosi wants to find there: kernel, `depmod`, and the stub of UKIs. */
function ourProject(bench: MkosiBench, tools: string): string {
  const project = bench.makeProject("beside-mkosi", ourConfig(""));
  bench.writeFile(project, "root/opt/changed", "0\n");
  fs.mkdirSync(path.join(project, "root/opt/data"), { recursive: true });
  for (let i = 0; i < 70; i++) fs.writeFileSync(path.join(project, `root/opt/data/${i}`), randomBytes(10 * MIB));
  newKeys(bench, project);
  const parts = `kernel: { kind: "kernel" }, initrd: { kind: "cpio" }, root: { kind: "tar", tree: "host", compress: "none" },`;
  bench.writeFile(project, "bootwright.config.ts", ourConfig(parts));
  bench.bootwright(project, "build", "kernel", "initrd");
  copy(path.join(project, "out/kernel/vmlinuz"), path.join(project, "root/usr/lib/modules/6.1-bench/vmlinuz"));
  const stub = "usr/lib/systemd/boot/efi/linuxx64.efi.stub";
  copy(path.join(tools, stub), path.join(project, "root", stub));
  return project;
}

/** Without device nodes, which mkosi would read as files. */
function theirProject(bench: MkosiBench, { project, tools }: { project: string; tools: string }): string {
  const theirs = bench.makeProject("theirs", "");
  fs.renameSync(unpacked(bench, project, "root"), path.join(theirs, "base"));
  fs.rmSync(path.join(theirs, "base/dev"), { recursive: true });
  fs.mkdirSync(path.join(theirs, "base/dev"));
  copy(path.join(project, "out/initrd.cpio"), path.join(theirs, "initrd.cpio"));
  fs.cpSync(path.join(project, "keys"), path.join(theirs, "keys"), { recursive: true });
  bench.writeFile(theirs, "mkosi.conf", mkosiConfig(tools));
  for (const [name, text] of Object.entries(REPART)) bench.writeFile(theirs, `repart/${name}`, `[Partition]\n${text}`);
  for (const name of ["cache", "out"]) fs.mkdirSync(path.join(theirs, name));
  bench.writeFile(project, "bootwright.config.ts", ourConfig(""));
  return theirs;
}

/** The tree `name` as a directory; owners need root, as mkosi's own way without a user namespace does. */
function unpacked(bench: MkosiBench, project: string, name: string): string {
  bench.bootwright(project, "build", name);
  const dir = path.join(project, "unpacked");
  fs.mkdirSync(dir);
  bench.cpuOf(["tar", "-C", dir, "-xf", path.join(project, `out/${name}.tar`)], { cwd: project });
  return dir;
}

function copy(from: string, to: string): void {
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.copyFileSync(from, to);
}
