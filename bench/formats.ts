/**
 * The writers against the tools that a user would run instead: newc + zstd of a 500 MB, 20,000-file tree against
 * `find | sort | cpio | zstd -T0`, and a 200 MB FAT volume against mkfs.fat + mcopy. Ours runs in a child process, so that
 * its time holds Node's start and its peak memory is its own.
 */
import { once } from "node:events";
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ChunkWriter } from "../src/base/chunk-writer.ts";
import { run } from "../src/base/process.ts";
import { encodeFat } from "../src/formats/fat.ts";
import type { TreeEntry } from "../src/formats/filetree.ts";
import { encodeNewc } from "../src/formats/newc.ts";
import { compressZstd } from "../src/formats/zstd.ts";

export interface BenchRow {
  readonly name: string;
  /** In `unit`. */
  readonly ours: number;
  readonly theirs?: number;
  readonly unit: string;
  readonly note: string;
}

const FILES = 20_000;
const BYTES = 500 * 1024 * 1024;
const FAT_BYTES = 200 * 1024 * 1024;
const LEVEL = 3;
const ROUNDS = 3;
const SELF = fileURLToPath(import.meta.url);

/** The best of three rounds each, turn by turn. Files are in the page cache. */
export async function rows(): Promise<BenchRow[]> {
  const dir = mkdtempSync(join(tmpdir(), "bench-formats-"));
  try {
    return [...(await newcRows(dir)), ...(await fatRows(dir))];
  } finally {
    rmSync(dir, { recursive: true });
  }
}

async function newcRows(dir: string): Promise<BenchRow[]> {
  const tree = join(dir, "tree");
  makeTree(tree);
  const theirs = `find . | LC_ALL=C sort | cpio -o -H newc --quiet | zstd -T0 -${LEVEL} -q -f -o ../theirs.zst`;
  const ours: Measured[] = [];
  const other: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    other.push(await timed(() => run(["sh", "-c", theirs], { cwd: tree })));
    ours.push(await child("newc", tree, join(dir, "ours.zst")));
  }
  const ratio = statSync(join(dir, "ours.zst")).size / statSync(join(dir, "theirs.zst")).size;
  const note = `${FILES} files, ${BYTES / 1024 / 1024} MiB, level ${LEVEL}; size ${ratio.toFixed(3)} of theirs`;
  return [
    { name: "newc + zstd", ours: best(ours), theirs: Math.min(...other), unit: "ms", note },
    { name: "newc + zstd, peak memory", ours: Math.max(...ours.map((one) => one.rss)), unit: "MiB", note: "bar 300" },
  ];
}

async function fatRows(dir: string): Promise<BenchRow[]> {
  const file = join(dir, "big");
  writeFileSync(file, content(1, FAT_BYTES));
  const image = join(dir, "theirs.img");
  const kib = Math.ceil((FAT_BYTES * 1.02) / 1024);
  const theirs = `rm -f ${image}; mkfs.fat -F 32 -C ${image} ${kib} >/dev/null && mmd -i ${image} ::/EFI ::/EFI/BOOT && mcopy -i ${image} ${file} ::/EFI/BOOT/BOOTX64.EFI`;
  const ours: Measured[] = [];
  const other: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    other.push(await timed(() => run(["sh", "-c", theirs])));
    ours.push(await child("fat", file, join(dir, "ours.img")));
  }
  return [
    {
      name: "FAT ESP of 200 MiB",
      ours: best(ours),
      theirs: Math.min(...other),
      unit: "ms",
      note: "bar 1000; theirs: mkfs.fat + mcopy",
    },
    { name: "FAT ESP, peak memory", ours: Math.max(...ours.map((one) => one.rss)), unit: "MiB", note: "" },
  ];
}

interface Measured {
  readonly ms: number;
  readonly rss: number;
}

async function child(what: string, from: string, to: string): Promise<Measured> {
  let rss = 0;
  const ms = await timed(async () => {
    const { stdout } = await run([process.execPath, SELF, what, from, to]);
    rss = Number(stdout.toString());
  });
  return { ms, rss };
}

const best = (measured: readonly Measured[]): number => Math.min(...measured.map((one) => one.ms));

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Half of each file repeats, half does not: compresses about as a root file system does. */
function content(seed: number, size: number): Buffer {
  const out = Buffer.alloc(size);
  let state = seed | 1;
  for (let at = 0; at + 4 <= size; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    out.writeUInt32LE((at >> 8) & 1 ? state : (state >>> 28) * 0x0101_0101, at);
  }
  return out;
}

function makeTree(root: string): void {
  const average = BYTES / FILES;
  for (let i = 0; i < FILES; i++) {
    const dir = join(root, `d${i % 200}`);
    if (i < 200) mkdirSync(dir, { recursive: true });
    // Sizes from a tenth to three times the usual, summing to the whole.
    writeFileSync(
      join(dir, `file-${i}`),
      content(i + 1, Math.round(average * [0.1, 0.2, 0.3, 0.6, 0.8, 3][i % 6]! * 1.2)),
    );
  }
}

function readTree(root: string): { tree: TreeEntry[]; paths: Map<string, string> } {
  const tree: TreeEntry[] = [];
  const paths = new Map<string, string>();
  const names = readdirSync(root, { recursive: true, encoding: "utf8" }).sort();
  for (const path of names) {
    const stat = lstatSync(join(root, path));
    const common = { path, mode: stat.mode & 0o7777, uid: 0, gid: 0 };
    if (stat.isDirectory()) tree.push({ type: "directory", ...common });
    else {
      paths.set(path, join(root, path));
      tree.push({ type: "file", ...common, content: { hash: path, size: stat.size } });
    }
  }
  return { tree, paths };
}

/** One buffer for all: the writers copy chunks below 256 KiB at once (chunk-batcher.ts). */
const buffer = Buffer.allocUnsafeSlow(255 * 1024);

function* readFile(path: string, size: number): Generator<Uint8Array> {
  const fd = openSync(path, "r");
  try {
    for (let at = 0; at < size; ) {
      const length = readSync(fd, buffer);
      if (length === 0) return;
      at += length;
      yield buffer.subarray(0, length);
    }
  } finally {
    closeSync(fd);
  }
}

async function packNewc(from: string, to: string): Promise<void> {
  const { tree, paths } = readTree(from);
  const chunks = encodeNewc(tree, { mtime: 0, read: ({ hash, size }) => readFile(paths.get(hash)!, size) });
  const file = await open(to, "w");
  const writer = new ChunkWriter(file, { open: 2 }); // As the store writes what a compressor makes.
  for await (const chunk of compressZstd(chunks, { level: LEVEL, workers: availableParallelism() }))
    await writer.write(chunk);
  await writer.end();
  await file.close();
}

function packFat(from: string, to: string): void {
  const { size } = statSync(from);
  const image = encodeFat([{ type: "file", path: "EFI/BOOT/BOOTX64.EFI", size, read: () => readFile(from, size) }], {
    seed: "bench",
    epoch: 1_700_000_000,
  });
  const fd = openSync(to, "w");
  for (const { offset, bytes } of image.writes()) writeSync(fd, bytes, 0, bytes.length, offset);
  ftruncateSync(fd, image.size);
  closeSync(fd);
}

if (process.argv[1] === SELF) {
  const [what, from, to] = process.argv.slice(2);
  let text: string;
  if (what === undefined) text = `${JSON.stringify(await rows(), null, 2)}\n`;
  else {
    if (what === "newc") await packNewc(from!, to!);
    else packFat(from!, to!);
    text = String(Math.round(process.resourceUsage().maxRSS / 1024));
  }
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}
