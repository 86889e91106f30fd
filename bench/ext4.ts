/**
 * The ext4 and EROFS writers against the tools that a user would run instead: a tree of 57,000 files and 650 MB to an image. Ours
 * reads the contents out of one archive, as the store keeps an imported one, and out of the tree's own files; mke2fs and
 * mkfs.erofs read the tree, and give files to whoever runs them. Ours runs in a child process: its time holds Node's start.
 */
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hostPath, run } from "../src/base/process.ts";
import { encodeErofs } from "../src/formats/erofs.ts";
import { encodeExt4 } from "../src/formats/ext4.ts";
import type { FileContent, ReadContent, TreeEntry } from "../src/formats/filetree.ts";
import type { BenchRow } from "./formats.ts";

const FILES = 57_000;
const DIRECTORIES = 4_000;
const BYTES = 650_000_000;
const ROUNDS = 3;
const SELF = fileURLToPath(import.meta.url);

/** Ours: the best of three rounds; theirs: one, since mke2fs takes long. Files are in the page cache. */
export async function rows(): Promise<BenchRow[]> {
  const dir = mkdtempSync(join(tmpdir(), "bench-ext4-"));
  try {
    makeTree(dir);
    const pack = await best(dir, "pack");
    const files = await best(dir, "files");
    const image = join(dir, "theirs.img");
    const theirs = await timed(() =>
      run(["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", join(dir, "tree"), image, "1000M"]),
    );
    rmSync(image);
    const note = `${FILES} files, ${BYTES / 1e6} MB; theirs: mke2fs -d`;
    const out: BenchRow[] = [
      { name: "ext4 out of an archive", ours: pack.ms, theirs, unit: "ms", note: `bar 6000; ${note}` },
      { name: "ext4 out of files", ours: files.ms, theirs, unit: "ms", note },
      { name: "ext4, peak memory", ours: Math.max(pack.rss, files.rss), unit: "MiB", note: "bar 400" },
    ];
    if (
      !hostPath()
        .split(":")
        .some((bin) => existsSync(join(bin, "mkfs.erofs")))
    )
      return out;
    const theirErofs = await timed(() => run(["mkfs.erofs", "--quiet", join(dir, "theirs.erofs"), join(dir, "tree")]));
    const erofsPack = await best(dir, "pack", "erofs");
    const erofs = await best(dir, "files", "erofs");
    const beside = `theirs: mkfs.erofs, not compressed; ${sizes(dir)}`;
    return [
      ...out,
      { name: "EROFS out of an archive", ours: erofsPack.ms, theirs: theirErofs, unit: "ms", note: beside },
      { name: "EROFS out of files", ours: erofs.ms, theirs: theirErofs, unit: "ms", note: beside },
      { name: "EROFS, peak memory", ours: Math.max(erofsPack.rss, erofs.rss), unit: "MiB", note: "bar 400" },
    ];
  } finally {
    rmSync(dir, { recursive: true });
  }
}

interface Measured {
  readonly ms: number;
  readonly rss: number;
}

const sizes = (dir: string): string =>
  ["ours.img", "theirs.erofs"].map((name) => `${Math.round(statSync(join(dir, name)).size / 1e6)} MB`).join(" beside ");

async function best(dir: string, source: string, kind = "ext4"): Promise<Measured> {
  const all: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    let rss = 0;
    const ms = await timed(async () => {
      const { stdout } = await run([process.execPath, SELF, source, dir, kind]);
      rss = Number(stdout.toString());
    });
    all.push({ ms, rss });
  }
  return { ms: Math.min(...all.map((one) => one.ms)), rss: Math.max(...all.map((one) => one.rss)) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

const fileSize = (i: number): number => Math.round((BYTES / FILES) * [0.02, 0.05, 0.1, 0.2, 0.63, 5][i % 6]!);
const directoryName = (i: number): string => `d${i % 40}/s${i}`;

/** The tree as files, as one archive, and as the list of entries that the child reads. */
export function makeTree(dir: string): void {
  const content = Buffer.alloc(64 * 1024);
  let state = 1;
  for (let at = 0; at < content.length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    content.writeUInt32LE(state, at);
  }
  const own = { mode: 0o644, uid: 0, gid: 0 };
  const tree: TreeEntry[] = [{ ...own, type: "directory", path: "", mode: 0o755 }];
  for (let i = 0; i < DIRECTORIES; i++) {
    const path = directoryName(i);
    mkdirSync(join(dir, "tree", path), { recursive: true });
    tree.push({ ...own, type: "directory", path, mode: 0o755 });
    if (i < 40) tree.push({ ...own, type: "directory", path: `d${i}`, mode: 0o755 });
  }
  const pack = openSync(join(dir, "pack"), "w");
  let offset = 0;
  for (let i = 0; i < FILES; i++) {
    const path = `${directoryName(i % DIRECTORIES)}/file-${i}`;
    const bytes = content.subarray(0, fileSize(i));
    content.writeUInt32LE(i, 0);
    writeFileSync(join(dir, "tree", path), bytes);
    writeSync(pack, bytes);
    const place = { hash: "pack", size: 0, offset };
    tree.push({ ...own, type: "file", path, content: { hash: path, size: bytes.length, pack: place } });
    offset += bytes.length;
  }
  closeSync(pack);
  tree.sort((a, b) => (a.path < b.path ? -1 : 1));
  writeFileSync(join(dir, "tree.json"), JSON.stringify(tree));
}

/** One buffer for all: the writer copies chunks below 256 KiB at once (sparse-batcher.ts). */
const buffer = Buffer.allocUnsafeSlow(255 * 1024);

function* readPack(fd: number, content: FileContent): Generator<Uint8Array> {
  for (let at = 0; at < content.size; ) {
    const got = readSync(fd, buffer, 0, Math.min(buffer.length, content.size - at), content.pack!.offset + at);
    if (got === 0) return;
    at += got;
    yield buffer.subarray(0, got);
  }
}

function* readFile(path: string): Generator<Uint8Array> {
  const fd = openSync(path, "r");
  try {
    for (let got = readSync(fd, buffer); got > 0; got = readSync(fd, buffer)) yield buffer.subarray(0, got);
  } finally {
    closeSync(fd);
  }
}

function writeImage(source: string, dir: string, kind: string): void {
  const tree = JSON.parse(readFileSync(join(dir, "tree.json"), "utf8")) as TreeEntry[];
  const pack = openSync(join(dir, "pack"), "r");
  const read: ReadContent = (content) =>
    source === "pack" ? readPack(pack, content) : readFile(join(dir, "tree", content.hash));
  const options = { read, seed: "bench", epoch: 1_700_000_000 };
  const image = kind === "erofs" ? encodeErofs(tree, options) : encodeExt4(tree, options);
  const fd = openSync(join(dir, "ours.img"), "w");
  for (const { offset, bytes } of image.writes()) writeSync(fd, bytes, 0, bytes.length, offset);
  ftruncateSync(fd, image.size);
  closeSync(fd);
}

if (process.argv[1] === SELF) {
  const [source, dir, kind = "ext4"] = process.argv.slice(2);
  let text: string;
  if (source === undefined) text = `${JSON.stringify(await rows(), null, 2)}\n`;
  else {
    writeImage(source, dir!, kind);
    text = String(Math.round(process.resourceUsage().maxRSS / 1024));
  }
  if (!process.stdout.write(text)) await once(process.stdout, "drain");
}
