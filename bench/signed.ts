/**
 * A disk of 1.5 GB with a signed UKI: what a change costs in CPU time, children included. mkosi needs 30 (one changed
 * file), 25 (nothing changed) and 32 s (only keys changed) for such a disk; the bars are a tenth, a hundredth and a
 * twenty-fifth of that. Then the UKI alone, of 60 MB, when only its command line or its key changes.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import type { Bench } from "./debian-root.ts";
import type { BenchRow } from "./formats.ts";

export interface CpuBench extends Bench {
  /** CPU seconds, those of children included. */
  readonly cpu: (project: string, ...words: string[]) => number;
}

const MIB = 1024 * 1024;

const config = ({ cmdline, files, images }: { cmdline: string; files: string; images: string }) => `
import { defineProject } from "bootwright";

export default defineProject({
  name: "signed",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
  trees: { host: { from: [{ debian: ["systemd-sysv", "udev", "dbus", "openssh-server", "iproute2"] }, { dir: "./root" }] } },
  initramfs: { init: "busybox", root: true, from: [{ dir: "${files}" }] },
  keys: { db: { file: "./keys/db" } },
  images: {
    uki: { kind: "uki", cmdline: "${cmdline}", sign: "db" },
    ${images}
  },
});
`;

const DISK = `disk: { kind: "disk", esp: ["uki"], espSize: "256MiB", tree: "host" },`;

export function rows(bench: CpuBench): BenchRow[] {
  return [...diskRows(bench), ...resignRows(bench)];
}

function diskRows(bench: CpuBench): BenchRow[] {
  const project = bench.makeProject(
    "signed",
    config({ cmdline: "root=PARTLABEL=root", files: "./early", images: DISK }),
  );
  bench.writeFile(project, "early/etc/early", "\n");
  bench.writeFile(project, "root/opt/changed", "0\n");
  fs.mkdirSync(path.join(project, "root/opt/data"), { recursive: true });
  for (let i = 0; i < 70; i++) fs.writeFileSync(path.join(project, `root/opt/data/${i}`), randomBytes(10 * MIB));
  newKeys(bench, project);
  bench.settle();
  bench.bootwright(project, "build");
  let round = 0;
  const changed = bench.median(3, () => {
    bench.writeFile(project, "root/opt/changed", `${++round}\n`);
    bench.settle();
    return bench.cpu(project, "build");
  });
  bench.settle();
  bench.bootwright(project, "build");
  const unchanged = bench.median(5, () => bench.cpu(project, "build"));
  const keys = bench.median(3, () => {
    newKeys(bench, project);
    bench.settle();
    return bench.cpu(project, "build");
  });
  const size = fs.statSync(path.join(project, "out/disk.img")).size;
  const note = (theirs: number, bar: number) =>
    `CPU; disk of ${(size / 1e9).toFixed(2)} GB; mkosi elsewhere: ${theirs} s; bar ${bar}`;
  return [
    { name: "signed disk, one changed file", ours: changed, unit: "s", note: note(30, 3) },
    { name: "signed disk, nothing changed", ours: unchanged, unit: "s", note: note(25, 0.25) },
    { name: "signed disk, only keys changed", ours: keys, unit: "s", note: note(32, 1.28) },
  ];
}

function resignRows(bench: CpuBench): BenchRow[] {
  let round = 0;
  const written = () => config({ cmdline: `quiet round=${++round}`, files: "./big", images: "" });
  const project = bench.makeProject("resign", written());
  bench.writeFile(project, "root/etc/x", "\n");
  fs.mkdirSync(path.join(project, "big"), { recursive: true });
  fs.writeFileSync(path.join(project, "big/data"), randomBytes(43 * MIB));
  newKeys(bench, project);
  bench.settle();
  bench.bootwright(project, "build");
  const cmdline = bench.median(7, () => {
    bench.writeFile(project, "bootwright.config.ts", written());
    bench.settle();
    return bench.bootwright(project, "build");
  });
  const key = bench.median(5, () => {
    newKeys(bench, project);
    bench.settle();
    return bench.bootwright(project, "build");
  });
  const size = fs.statSync(path.join(project, "out/uki.efi")).size;
  const note = `UKI of ${(size / 1e6).toFixed(0)} MB, with Node's start; bar 500`;
  return [
    { name: "another command line, signed anew", ours: cmdline, unit: "ms", note },
    { name: "another key, signed anew", ours: key, unit: "ms", note },
  ];
}

export function newKeys(bench: Bench, project: string): void {
  fs.rmSync(path.join(project, "keys"), { recursive: true, force: true });
  bench.bootwright(project, "keys", "init");
}

/** CPU seconds of a program and of all that it waits for. */
export function cpuSeconds(argv: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }): number {
  const script = `TIMEFORMAT="%U %S"; { time "$@" >&3 2>&4; } 3>/dev/null 4>&1 2>&5`;
  const { status, stdout, output, error } = spawnSync("bash", ["-c", script, "bash", ...argv], {
    ...{ ...options, encoding: "utf8", stdio: ["ignore", "pipe", "pipe", "ignore", "ignore", "pipe"] },
  });
  if (status !== 0) throw error ?? new Error(`${argv.join(" ")} ended with ${status}\n${stdout}`);
  const [user = 0, system = 0] = String(output[5]).trim().split(" ").map(Number);
  return user + system;
}
