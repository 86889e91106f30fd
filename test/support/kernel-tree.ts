/** A tree with one of each thing that a kernel can tell of a file system, and what its `stat` must say. */
import { comparePaths, pathFromBytes } from "../../src/base/bytes.ts";
import { digestOf } from "../../src/base/digest.ts";
import { FILE_TYPE_BITS, type FileContent, type FileTree, type TreeEntry } from "../../src/formats/filetree.ts";

/** Of entries without a time. */
export const KERNEL_EPOCH = 1_700_000_000;
const MIB = 1024 * 1024;

const own = { mode: 0o644, uid: 0, gid: 0 };
const directory = (at: string): TreeEntry => ({ ...own, type: "directory", path: at, mode: 0o755 });
const file = (at: string, seed: number, size: number, more: Partial<TreeEntry> = {}): TreeEntry =>
  ({ ...own, type: "file", path: at, content: { hash: String(seed), size }, ...more }) as TreeEntry;

export function* read({ hash, size }: FileContent): Generator<Uint8Array> {
  for (let left = size; left > 0; left -= MIB) yield Buffer.alloc(Math.min(MIB, left), Number(hash) % 256);
}

export function kernelTree(): FileTree {
  const tree = [
    directory(""),
    directory("dev"),
    { ...own, type: "char", path: "dev/console", mode: 0o600, major: 5, minor: 1 },
    { ...own, type: "block", path: "dev/far", mode: 0o660, gid: 6, major: 259, minor: 70_000 },
    { ...own, type: "fifo", path: "dev/pipe" },
    { ...own, type: "socket", path: "dev/socket" },
    { ...own, type: "symlink", path: "short", mode: 0o777, target: "dev/console" },
    { ...own, type: "symlink", path: "long", mode: 0o777, target: "é/".repeat(700) },
    file("setuid", 3, 70_000, { mode: 0o6755, uid: 100_000, gid: 4_294_967_294 }),
    file("before", 4, 4096, { mtime: -86_400 }),
    file("after", 5, 1, { mtime: 2 ** 33 + 5 }),
    file(pathFromBytes(Buffer.of(0xff, 0x20, 0x0a, 0x22, 0x5c, 0xe9)), 6, 10),
    file("x".repeat(255), 7, 0),
    file("attributes", 8, 8, { xattrs: [{ name: "user.a", value: Buffer.alloc(2000, 1) }] }),
    file("link-1", 9, 5000, { link: 1 } as Partial<TreeEntry>),
    file("link-2", 9, 5000, { link: 1 } as Partial<TreeEntry>),
    file("large", 10, 150 * MIB + 7),
    directory("many"),
    ...Array.from({ length: 5000 }, (_, i) => file(`many/name number ${i}`, i, i % 7)),
    directory("wide"),
    ...Array.from({ length: 8000 }, (_, i) => file(`wide/${"w".repeat(240)}${i}`, i, 0)),
  ] as TreeEntry[];
  for (let at = "deep"; at.length < 200; at += "/deeper") tree.push(directory(at));
  return tree.sort((a, b) => comparePaths(a.path, b.path));
}

/** What `stat` says of each entry; a directory's size is not the tree's. */
export function listed(tree: FileTree, { lostFound }: { lostFound: boolean }): string[] {
  const blocks = (entry: TreeEntry): number => (entry.type === "file" ? entry.content.size : 0);
  const target = (entry: TreeEntry): number => (entry.type === "symlink" ? Buffer.byteLength(entry.target) : 0);
  const links = (entry: TreeEntry): number => {
    if (entry.type === "file") return entry.link === undefined ? 1 : 2;
    if (entry.type !== "directory") return 1;
    const depth = entry.path === "" ? 1 : entry.path.split("/").length + 1;
    const below = tree.filter(
      (one) =>
        one.type === "directory" &&
        one.path !== "" &&
        one.path.split("/").length === depth &&
        (entry.path === "" || one.path.startsWith(`${entry.path}/`)),
    );
    return 2 + below.length + (entry.path === "" && lostFound ? 1 : 0);
  };
  return tree.map((entry) => {
    const time = entry.mtime ?? KERNEL_EPOCH;
    const device =
      entry.type === "char" || entry.type === "block"
        ? `${entry.major.toString(16)}:${entry.minor.toString(16)}`
        : "0:0";
    const mode = (entry.mode | FILE_TYPE_BITS[entry.type]).toString(16);
    const size = entry.type === "directory" ? "dir" : blocks(entry) + target(entry);
    return `${mode} ${entry.uid} ${entry.gid} ${links(entry)} ${size} ${time} ${time} ${time} ${device}`;
  });
}

/** What the guest says of it: a file's digest, a link's target. */
export function contentOf(entry: TreeEntry): string {
  if (entry.type === "symlink") return entry.target;
  return entry.type === "file" ? digestOf(Buffer.concat([...read(entry.content)])).hash : "";
}
