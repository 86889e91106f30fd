/**
 * `npm run bench [-- --only GROUP]`: how fast Bootwright is here, beside what a user would run instead. Everything runs in
 * one temporary directory with its own store; packages are fetched once. Values are medians unless a note says otherwise.
 * `--store DIR` takes what is in another store, such as kernels that were compiled before: rows of first builds then say nothing.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { ensureHostTools } from "../src/api/host-check.ts";
import { hostPath } from "../src/base/process.ts";
import { formatSize } from "../src/base/size.ts";
import { rows as debianRows } from "./debian-root.ts";
import { rows as ext4Rows } from "./ext4.ts";
import { type BenchRow, rows as formatRows } from "./formats.ts";
import { bootRows as kernelBootRows, linkRows } from "./kernel.ts";
import { rows as mkosiRows } from "./mkosi.ts";
import { rows as ociRows } from "./oci.ts";
import { rows as registryRows } from "./registry.ts";
import { rows as s3Rows } from "./s3.ts";
import { cpuSeconds, rows as signedRows } from "./signed.ts";

interface Row extends BenchRow {
  /** At most, in `unit`. */
  readonly bar?: number;
}

const ROOT = path.join(import.meta.dirname, "..");
const BIN = path.join(ROOT, "bin/bootwright.js");
const HELLO = path.join(ROOT, "examples/hello/bootwright.config.ts");

const GROUPS: Readonly<Record<string, () => Row[] | Promise<Row[]>>> = {
  start: startRows,
  hello: helloRows,
  large: largeRows,
  change: changeRows,
  boot: bootRows,
  formats: formatRows,
  ext4: ext4Rows,
  debian: () => debianRows({ makeProject, writeFile, bootwright, median, settle }),
  "kernel-boot": () => kernelBootRows({ makeProject, writeFile, bootwright, run, median, settle }),
  "kernel-link": () => linkRows({ makeProject, writeFile, bootwright, run, median, settle }),
  oci: () => ociRows({ makeProject, writeFile, bootwright, median, settle, measured }),
  registry: () => registryRows({ makeProject, writeFile, bootwright, median, settle, measured }),
  s3: () => s3Rows(path.join(dir, "ceph")),
  signed: () => signedRows({ makeProject, writeFile, bootwright, median, settle, cpu }),
  mkosi: () => mkosiRows({ makeProject, writeFile, bootwright, median, settle, cpu, cpuOf }),
};

const { only, store } = given();
const dir = fs.mkdtempSync(path.join(os.tmpdir(), "bootwright-bench-"));
const env = {
  PATH: hostPath(),
  HOME: dir,
  XDG_CACHE_HOME: path.join(dir, "cache"),
  BOOTWRIGHT_STORE: store ?? path.join(dir, "store"),
  BOOTWRIGHT_PROGRESS: "quiet",
};

process.on("exit", () => fs.rmSync(dir, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

await ensureHostTools("test");
process.stdout.write(`${machineName()}\n\n${line(["", "ours", "bar", "theirs", "ours/theirs", "note"])}\n`);
for (const [name, measure] of Object.entries(GROUPS))
  if (only === undefined || only === name) for (const row of await measure()) process.stdout.write(`${rowLine(row)}\n`);

/** What does not parse measures nothing: a whole run takes half an hour. */
function given(): { readonly only?: string; readonly store?: string } {
  try {
    const { values } = parseArgs({ options: { only: { type: "string" }, store: { type: "string" } } });
    if (values.only === undefined || Object.hasOwn(GROUPS, values.only)) return values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
  }
  process.stderr.write(`npm run bench [-- [--only GROUP] [--store DIR]]\ngroups: ${Object.keys(GROUPS).join(", ")}\n`);
  process.exit(2);
}

function startRows(): Row[] {
  const theirs = median(20, () => timed([process.execPath, "-e", "0"]));
  const ours = median(20, () => timed([process.execPath, BIN, "--help"]));
  return [{ name: "--help", ours, theirs, bar: 80, unit: "ms", note: "theirs: node -e 0" }];
}

function helloRows(): Row[] {
  const project = makeProject("hello", fs.readFileSync(HELLO, "utf8"));
  const first = bootwright(project, "build");
  const ours = median(15, () => bootwright(project, "build"));
  return [
    { name: "first build of hello", ours: first, unit: "ms", note: "once, with the download of its packages" },
    { name: "unchanged build of hello", ours, bar: 150, unit: "ms", note: "with Node's start" },
  ];
}

function largeRows(): Row[] {
  const project = makeProject("large", withDirectory("large"));
  for (let i = 0; i < 10_000; i++) writeFile(project, `files/d${i % 100}/file-${i}`, `content ${i}\n`);
  settle();
  bootwright(project, "build");
  const ours = median(15, () => bootwright(project, "build"));
  const theirs = median(15, () => timed(["find", path.join(project, "files"), "-printf", "%p %s %T@ %C@ %i\\n"]));
  const note = "with Node's start; theirs: find prints each file's size and times";
  return [{ name: "unchanged build, 10,000 input files", ours, theirs, bar: 250, unit: "ms", note }];
}

/** Half of each file repeats, half does not: compresses about as programs do. */
function changeRows(): Row[] {
  const project = makeProject("change", withDirectory("change"));
  const content = Buffer.alloc(256 * 1024);
  let state = 1;
  for (let i = 0; i < 200; i++) {
    for (let at = 0; at < content.length; at += 4) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      content.writeUInt32LE((at >> 8) & 1 ? state : 0x6162_6364, at);
    }
    writeFile(project, `files/lib/file-${i}`, content);
  }
  bootwright(project, "build");
  let round = 0;
  const ours = median(7, () => {
    writeFile(project, "files/etc/changed", `${++round}\n`);
    settle();
    return bootwright(project, "build");
  });
  const size = fs.statSync(path.join(project, "out/change.efi")).size;
  const note = `50 MiB of files; the EFI file has ${formatSize(size)}`;
  return [{ name: "one changed file → new UKI", ours, bar: 1000, unit: "ms", note }];
}

function bootRows(): Row[] {
  const project = makeProject("hello", fs.readFileSync(HELLO, "utf8"));
  bootwright(project, "build");
  return ["uefi", "direct"].map((firmware): Row => {
    let accelerator = "";
    const ours = median(3, () => {
      const document = run(project, ["boot", "--wait", "--json", `--firmware=${firmware}`]).stdout;
      const result = JSON.parse(document) as { bootedIn: number; accelerator: string };
      accelerator = result.accelerator;
      return result.bootedIn;
    });
    const note = `power-on to ready, as \`boot --json\` reports it; ${accelerator}`;
    return { name: `boot of hello, ${firmware}`, ours, unit: "ms", note };
  });
}

function withDirectory(name: string): string {
  return `import { defineProject } from "bootwright";

export default defineProject({
  name: "${name}",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
  initramfs: { init: "busybox", from: [{ dir: "./files" }] },
  images: { ${name}: { kind: "uki", cmdline: "console=ttyS0 quiet" } },
});
`;
}

function makeProject(name: string, config: string): string {
  const project = path.join(dir, name);
  writeFile(project, "bootwright.config.ts", config);
  return project;
}

function writeFile(project: string, name: string, content: string | Buffer): void {
  const file = path.join(project, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
}

/** What was written within the last tick of the file system's clock is read again (docs/decisions/0007-snapshots.md). */
function settle(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);
}

function bootwright(project: string, ...words: string[]): number {
  return run(project, words).ms;
}

function cpu(project: string, ...words: string[]): number {
  return cpuOf([process.execPath, BIN, ...words], { cwd: project });
}

function cpuOf(
  argv: readonly string[],
  { cwd, env: more = {} }: { cwd: string; env?: Record<string, string> },
): number {
  return cpuSeconds(argv, { cwd, env: { ...env, ...more } });
}

function measured(project: string, ...words: string[]): { ms: number; memory: number } {
  const file = path.join(dir, "peak");
  const script = `import fs from "node:fs"; process.on("exit", () => fs.writeFileSync(${JSON.stringify(file)}, String(process.resourceUsage().maxRSS)));`;
  const hook = `--import=data:text/javascript,${encodeURIComponent(script)}`;
  const { ms } = start([process.execPath, hook, BIN, ...words], project);
  return { ms, memory: Number(fs.readFileSync(file, "utf8")) / 1024 };
}

function timed(argv: readonly string[]): number {
  return start(argv, dir).ms;
}

function run(project: string, words: readonly string[]): { ms: number; stdout: string } {
  return start([process.execPath, BIN, ...words], project);
}

function start(argv: readonly string[], cwd: string): { ms: number; stdout: string } {
  const began = performance.now();
  const { status, stdout, stderr, error } = spawnSync(argv[0]!, argv.slice(1), {
    ...{ cwd, env, encoding: "utf8", maxBuffer: 64 * 1024 * 1024 },
  });
  const ms = performance.now() - began;
  if (status !== 0) throw error ?? new Error(`${argv.join(" ")} ended with ${status}\n${stderr}`);
  return { ms, stdout };
}

function median(rounds: number, measure: () => number): number {
  const values = Array.from({ length: rounds }, measure).sort((a, b) => a - b);
  return values[Math.floor(rounds / 2)]!;
}

function machineName(): string {
  const [cpu] = os.cpus();
  return [
    `${cpu?.model ?? "unknown processor"}, ${os.availableParallelism()} usable`,
    `${formatSize(os.totalmem())} memory`,
    `${os.type()} ${os.release()}`,
    `Node ${process.versions.node}`,
  ].join("; ");
}

/** A bar that a note of bench/formats.ts tells counts as well. */
function rowLine({ name, ours, theirs, unit, note, bar }: Row): string {
  const limit = bar ?? (/\bbar ([\d.]+)/.exec(note) ? Number(/\bbar ([\d.]+)/.exec(note)![1]) : undefined);
  const value = (number: number) =>
    `${number < 10 ? number.toFixed(2) : number < 100 ? number.toFixed(1) : Math.round(number)} ${unit}`;
  return line([
    name,
    value(ours),
    limit === undefined ? "" : `${ours <= limit ? "✓" : "✗"} ≤ ${limit}`,
    theirs === undefined ? "" : value(theirs),
    theirs === undefined ? "" : (ours / theirs).toFixed(2),
    note,
  ]);
}

function line([name, ours, bar, theirs, ratio, note]: readonly string[]): string {
  return [name!.padEnd(37), ours!.padStart(10), bar!.padEnd(8), theirs!.padStart(10), ratio!.padStart(11), note].join(
    "  ",
  );
}
