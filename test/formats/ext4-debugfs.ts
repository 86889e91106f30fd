/**
 * Reads ext4 images with e2fsprogs, whose code shares nothing with ours: e2fsck must find nothing to mend, and debugfs
 * tells every inode's fields, attributes and content.
 */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { pathFromBytes } from "../../src/base/bytes.ts";
import { digestOf } from "../../src/base/digest.ts";
import { FILE_TYPE_BITS, type FileContent, type FileTree, parentPath } from "../../src/formats/filetree.ts";
import { needProgram } from "../support/need-program.ts";

export interface ReadEntry {
  readonly path: string;
  readonly inode: number;
  /** Type bits included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  /** Seconds since the epoch; access, change, modification. */
  readonly times: readonly number[];
  readonly target?: string;
  /** `major:minor`. */
  readonly device?: string;
  /** Values in hex; access lists in their form on disk. */
  readonly xattrs: Readonly<Record<string, string>>;
  /** Regular files, when contents are read. */
  readonly sha256?: string;
}

/** The report when it is not clean. */
export function fsckComplaint(image: string): string | undefined {
  const { status, stdout, stderr } = spawnSync(needProgram("e2fsck", "e2fsprogs"), ["-fn", image]);
  return status === 0 ? undefined : `${stdout}${stderr}`;
}

/** Everything in the image, sorted as debugfs lists it. Names may hold any byte but a newline. `dir`: for contents. */
export function readImage(image: string, dir: string, options: { contents: boolean }): ReadEntry[] {
  const named = listAll(image);
  const inodes = [...new Set(named.map(({ inode }) => inode))];
  const stats = new Map(
    debugfs(
      image,
      inodes.map((inode) => `stat <${inode}>`),
    ).map((text, i) => [inodes[i]!, text]),
  );
  const attributes = inodes.flatMap((inode) => xattrNames(stats.get(inode)!).map((name) => ({ inode, name })));
  const file = (name: string) => path.join(dir, name);
  debugfs(
    image,
    attributes.map(({ inode, name }, i) => `ea_get -r -f ${file(`xattr-${i}`)} <${inode}> ${name}`),
  );
  const values = new Map<number, Record<string, string>>();
  for (const [i, { inode, name }] of attributes.entries())
    values.set(inode, { ...values.get(inode), [name]: readFileSync(file(`xattr-${i}`)).toString("hex") });
  const dumped = inodes.filter((inode) => /Type: (regular|symlink)/.test(stats.get(inode)!));
  if (options.contents)
    debugfs(
      image,
      dumped.map((inode) => `dump <${inode}> ${file(`content-${inode}`)}`),
    );
  return named.map(({ inode, path: at }) => {
    const stat = stats.get(inode)!;
    const type = /Type: (.*?) +Mode/.exec(stat)![1]!;
    const target =
      type === "symlink" ? (fastTarget(stat) ?? latin1(readFileSync(file(`content-${inode}`)))) : undefined;
    const device = /Device major\/minor number: (\d+):(\d+)/.exec(stat);
    return {
      path: pathFromBytes(Buffer.from(at, "latin1")),
      inode,
      mode: TYPE_BITS[type]! | Number.parseInt(/Mode: +(\d+)/.exec(stat)![1]!, 8),
      uid: Number(/User: *(-?\d+)/.exec(stat)![1]) >>> 0,
      gid: Number(/Group: *(-?\d+)/.exec(stat)![1]) >>> 0,
      size: Number(/Size: (\d+)\n/.exec(stat)![1]),
      links: Number(/Links: (\d+)/.exec(stat)![1]),
      times: ["atime", "ctime", "mtime"].map((name) => timeOf(stat, name)),
      ...(target !== undefined && { target: pathFromBytes(Buffer.from(target, "latin1")) }),
      ...(device && { device: `${Number(device[1])}:${Number(device[2])}` }),
      xattrs: values.get(inode) ?? {},
      ...(type === "regular" && options.contents && { sha256: digestOf(readFileSync(file(`content-${inode}`))).hash }),
    };
  });
}

/** What the tree says, in the words of `readImage`, but for inodes. */
export function expectedEntries(
  tree: FileTree,
  { epoch, hashOf }: { epoch: number; hashOf: (content: FileContent) => string },
) {
  const links = new Map<number, number>();
  const subdirectories = new Map<string, number>();
  for (const entry of tree) {
    if (entry.type === "file" && entry.link !== undefined) links.set(entry.link, (links.get(entry.link) ?? 0) + 1);
    if (entry.type === "directory" && entry.path !== "")
      subdirectories.set(parentPath(entry.path), (subdirectories.get(parentPath(entry.path)) ?? 0) + 1);
  }
  return tree.map((entry) => {
    const { path: at, uid, gid, mtime = epoch } = entry;
    return {
      path: at,
      mode: entry.mode | FILE_TYPE_BITS[entry.type],
      uid,
      gid,
      links:
        entry.type === "directory"
          ? 2 + (subdirectories.get(at) ?? 0) + (at === "" ? 1 : 0) // lost+found.
          : entry.type === "file" && entry.link !== undefined
            ? links.get(entry.link)!
            : 1,
      times: [mtime, mtime, mtime],
      ...(entry.type === "symlink" && { target: entry.target }),
      ...((entry.type === "char" || entry.type === "block") && { device: `${entry.major}:${entry.minor}` }),
      xattrs: Object.fromEntries(
        (entry.xattrs ?? []).map(({ name, value }) => [name, Buffer.from(value).toString("hex")]),
      ),
      ...(entry.type === "file" && { size: entry.content.size, sha256: hashOf(entry.content) }),
    };
  });
}

const TYPE_BITS: Readonly<Record<string, number>> = {
  regular: 0o100000,
  directory: 0o040000,
  symlink: 0o120000,
  "character special": 0o020000,
  "block special": 0o060000,
  FIFO: 0o010000,
  socket: 0o140000,
};

/** Paths as Latin-1, a level of directories at a time. */
function listAll(image: string): { path: string; inode: number }[] {
  const found = [{ path: "", inode: 2 }];
  for (let level = found; level.length > 0; ) {
    const lists = debugfs(
      image,
      level.map(({ inode }) => `ls -p <${inode}>`),
    );
    const below: { path: string; inode: number }[] = [];
    for (const [i, text] of lists.entries())
      for (const line of text.split("\n")) {
        const match = /^\/(\d+)\/(\d+)\/-?\d+\/-?\d+\/(.*)\/\d*\/$/s.exec(line);
        if (match === null || match[3] === "." || match[3] === ".." || match[1] === "0") continue;
        const above = level[i]!.path;
        const entry = { path: above === "" ? match[3]! : `${above}/${match[3]}`, inode: Number(match[1]) };
        found.push(entry);
        if (match[2]!.startsWith("04")) below.push(entry);
      }
    level = below;
  }
  return found;
}

/** One program for all commands; gives each one's output, as Latin-1. */
function debugfs(image: string, commands: readonly string[]): string[] {
  if (commands.length === 0) return [];
  const script = `${image}.debugfs`;
  writeFileSync(script, commands.map((command) => `${command}\n`).join(""));
  const { status, stdout } = spawnSync(needProgram("debugfs", "e2fsprogs"), ["-f", script, image], {
    maxBuffer: 1024 ** 3,
    env: { ...process.env, TZ: "UTC", LC_ALL: "C", PAGER: "cat" },
  });
  if (status !== 0) throw new Error(`debugfs: exit ${status}`);
  const text = latin1(stdout);
  const out: string[] = [];
  let at = 0;
  for (const [i, command] of commands.entries()) {
    const echo = `debugfs: ${Buffer.from(command).toString("latin1")}\n`;
    const from = text.indexOf(echo, at);
    if (from < 0) throw new Error(`debugfs did not run ${command}`);
    if (i > 0) out.push(text.slice(at, from));
    at = from + echo.length;
  }
  return [...out, text.slice(at)];
}

const latin1 = (bytes: Buffer): string => bytes.toString("latin1");

function xattrNames(stat: string): string[] {
  const list = /\nExtended attributes:\n((?: {2}.*\n)*)/.exec(stat)?.[1] ?? "";
  return [...list.matchAll(/^ {2}(\S+) \(\d+\)/gm)].map((match) => match[1]!);
}

const fastTarget = (stat: string): string | undefined => /\nFast link dest: "(.*)"\n/s.exec(stat)?.[1];

/** 32 bits signed; in the word behind them two more bits, then nanoseconds. */
function timeOf(stat: string, name: string): number {
  const [, low, extra] = new RegExp(`${name}: 0x([0-9a-f]{8}):([0-9a-f]{8})`).exec(stat)!;
  const word = Number.parseInt(extra!, 16);
  return (Number.parseInt(low!, 16) | 0) + (word & 3) * 2 ** 32 + (word >>> 2) / 1e9;
}
