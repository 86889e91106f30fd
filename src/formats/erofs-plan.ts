/** From a tree to EROFS inodes: link counts, directory entries, attributes. Nothing has a place on the volume yet. */
import { bytesFromPath } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { type ErofsDirectory, type ErofsDirent, planDirectory } from "./erofs-directory.ts";
import { EROFS_BLOCK, type ErofsInode, headSizeOf, splitTime } from "./erofs-inode.ts";
import { type SharedXattrs, shareXattrs } from "./erofs-xattr.ts";
import {
  baseName,
  type DeviceEntry,
  ENTRY_TYPES,
  FILE_TYPE_BITS,
  type FileContent,
  type FileTree,
  parentPath,
  rootOf,
  type TreeEntry,
} from "./filetree.ts";

/** What an inode holds beside its fields. */
export type ErofsContent =
  | { readonly kind: "none" }
  | { readonly kind: "directory"; readonly directory: ErofsDirectory }
  | { readonly kind: "symlink"; readonly target: Buffer }
  | { readonly kind: "file"; readonly content: FileContent };

export interface ErofsNode {
  readonly inode: ErofsInode;
  content: ErofsContent;
}

export interface ErofsPlan {
  readonly root: ErofsNode;
  /** All but regular files with content, the root first; then those. Each in the order of the tree. */
  readonly structure: readonly ErofsNode[];
  readonly files: readonly ErofsNode[];
  readonly sharedXattrs: Buffer;
}

const MAX_NAME = 255;
const MAX_PATH = 4095;
const MAX_LINKS = 0xffff_ffff;

/** Throws LIMIT_EXCEEDED and UNSUPPORTED for what the format does not hold, plain Errors for a tree that is none. */
export function planErofs(tree: FileTree, epoch: number): ErofsPlan {
  rootOf(tree, "EROFS");
  const builder = new PlanBuilder(epoch, shareXattrs(tree));
  for (const entry of tree) builder.add(entry);
  return builder.finish();
}

interface OpenDirectory {
  readonly node: ErofsNode;
  readonly parent: ErofsInode;
  readonly items: ErofsDirent[];
}

class PlanBuilder {
  readonly #epoch: number;
  readonly #xattrs: SharedXattrs;
  readonly #nodes: ErofsNode[] = [];
  readonly #directories = new Map<string, OpenDirectory>();
  readonly #links = new Map<number, ErofsNode>();

  constructor(epoch: number, xattrs: SharedXattrs) {
    this.#epoch = epoch;
    this.#xattrs = xattrs;
  }

  add(entry: TreeEntry): void {
    const parent = this.#parentOf(entry);
    const node = this.#linked(entry) ?? this.#node(entry);
    const { inode } = node;
    if (entry.type === "directory") {
      inode.links = 2;
      if (parent !== undefined) parent.node.inode.links++;
      this.#directories.set(entry.path, { node, parent: parent?.node.inode ?? inode, items: [] });
    } else if (++inode.links > MAX_LINKS) throw limit(entry.path, `${inode.links} hard links`, MAX_LINKS);
    parent?.items.push({ name: baseName(entry.path), inode, type: ENTRY_TYPES[entry.type] });
  }

  finish(): ErofsPlan {
    for (const { node, parent, items } of this.#directories.values()) {
      const directory = planDirectory(items, node.inode, parent);
      node.inode.size = directory.size;
      node.content = { kind: "directory", directory };
    }
    for (const { inode } of this.#nodes) inode.headSize = headSizeOf(inode, this.#epoch);
    const isFile = ({ content }: ErofsNode): boolean => content.kind === "file";
    return {
      root: this.#nodes[0]!,
      structure: this.#nodes.filter((node) => !isFile(node)),
      files: this.#nodes.filter(isFile),
      sharedXattrs: this.#xattrs.area,
    };
  }

  #parentOf(entry: TreeEntry): OpenDirectory | undefined {
    if (entry.path === "") return undefined;
    const parent = this.#directories.get(parentPath(entry.path));
    if (parent === undefined) throw new Error(`EROFS: no directory in the tree holds ${entry.path}`);
    checkName(entry.path);
    return parent;
  }

  #linked(entry: TreeEntry): ErofsNode | undefined {
    if (entry.type !== "file" || entry.link === undefined) return undefined;
    const node = this.#links.get(entry.link);
    if (node === undefined) return undefined;
    const known = node.content.kind === "file" ? node.content.content : { hash: entry.content.hash, size: 0 };
    if (known.hash !== entry.content.hash || known.size !== entry.content.size)
      throw new Error(`EROFS: hard link ${entry.path} differs in content from ${node.inode.path}`);
    return node;
  }

  #node(entry: TreeEntry): ErofsNode {
    const { path, uid, gid } = entry;
    for (const id of [uid, gid])
      if (!(Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff)) throw limit(path, `owner ${id}`, 0xffff_ffff);
    const time = entry.mtime ?? this.#epoch;
    splitTime(time, path); // Says now what does not fit.
    const content = contentOf(entry);
    const node: ErofsNode = {
      inode: {
        ...{ number: this.#nodes.length + 1, path, mode: FILE_TYPE_BITS[entry.type] | entry.mode, uid, gid, time },
        ...((entry.type === "char" || entry.type === "block") && { device: deviceNumber(entry) }),
        ...{ xattrs: this.#xattrs.of(entry), links: 0, size: sizeOf(content), headSize: 0, at: 0, block: 0, tail: 0 },
      },
      content,
    };
    this.#nodes.push(node);
    if (entry.type === "file" && entry.link !== undefined) this.#links.set(entry.link, node);
    return node;
  }
}

function contentOf(entry: TreeEntry): ErofsContent {
  if (entry.type === "file" && entry.content.size > 0) return { kind: "file", content: entry.content };
  if (entry.type !== "symlink") return { kind: "none" };
  const target = bytesFromPath(entry.target);
  if (target.length === 0 || target.includes(0)) throw new Error(`EROFS: ${entry.path}: target "${entry.target}"`);
  if (target.length >= EROFS_BLOCK) throw limit(entry.path, `a target of ${target.length} bytes`, EROFS_BLOCK - 1);
  return { kind: "symlink", target };
}

function sizeOf(content: ErofsContent): number {
  if (content.kind === "file") return content.content.size;
  return content.kind === "symlink" ? content.target.length : 0;
}

function checkName(path: string): void {
  const name = baseName(path);
  if (name === "" || name === "." || name === ".." || path.includes("\0")) throw new Error(`EROFS: path ${path}`);
  // Most names are short enough whatever their letters.
  if (name.length > MAX_NAME / 3 && bytesFromPath(name).length > MAX_NAME) throw limit(path, "a name", MAX_NAME);
  if (path.length > MAX_PATH / 3 && bytesFromPath(path).length > MAX_PATH) throw limit(path, "the path", MAX_PATH);
}

function deviceNumber({ path, major, minor }: DeviceEntry): number {
  if (!(major >= 0 && major < 2 ** 12 && minor >= 0 && minor < 2 ** 20))
    throw new BootwrightError("LIMIT_EXCEEDED", `EROFS: ${path}: device ${major}:${minor}; at most 4095:1048575`);
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

const limit = (path: string, what: string, most: number): BootwrightError =>
  new BootwrightError("LIMIT_EXCEEDED", `EROFS: ${path.slice(0, 300)}: ${what}; the format holds at most ${most}`);
