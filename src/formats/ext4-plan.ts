/**
 * From a tree to inodes: numbers, link counts, directory entries, attributes. Nothing has a place on the volume yet.
 * Inodes are numbered in the order of the tree, so all that are in use stand at the front.
 */
import { bytesFromPath } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { type DirectoryItem, type DirectoryPlan, nameLength, planDirectory } from "./ext4-directory.ts";
import { type Ext4Inode, encodeTime, INDEXED_DIRECTORY, INLINE_SYMLINK, NO_XATTRS, XATTR_ROOM } from "./ext4-inode.ts";
import { EXT4_BLOCK } from "./ext4-layout.ts";
import { FIRST_INODE } from "./ext4-superblock.ts";
import { encodeXattrs } from "./ext4-xattr.ts";
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

export interface Ext4Plan {
  readonly root: Ext4Inode;
  /** From FIRST_INODE on, without gaps. */
  readonly inodes: readonly Ext4Inode[];
  readonly directories: readonly Ext4Directory[];
  readonly symlinks: readonly { readonly inode: Ext4Inode; readonly target: Buffer }[];
  readonly files: readonly { readonly inode: Ext4Inode; readonly content: FileContent }[];
}

export interface Ext4Directory {
  readonly inode: Ext4Inode;
  readonly parent: number;
  readonly items: readonly DirectoryItem[];
  readonly plan: DirectoryPlan;
}

interface PlanOptions {
  readonly hashSeed: Uint32Array;
  readonly epoch: number;
}

const ROOT_INODE = 2;
const LOST_FOUND = "lost+found";
/** e2fsck puts orphans there without having to allocate on a damaged volume. */
const LOST_FOUND_BLOCKS = 4;
const MAX_LINKS = 65_000;
const MAX_NAME = 255;
const MAX_PATH = 4095;

export function planInodes(tree: FileTree, options: PlanOptions): Ext4Plan {
  const root = rootOf(tree, "ext4");
  const builder = new PlanBuilder(options);
  builder.addRoot(root);
  if (!tree.some((entry) => entry.path === LOST_FOUND)) builder.addLostFound();
  for (const entry of tree.slice(1)) builder.add(entry);
  return builder.finish();
}

interface OpenDirectory {
  readonly inode: Ext4Inode;
  readonly parent: number;
  readonly items: DirectoryItem[];
}

interface LinkGroup {
  readonly inode: Ext4Inode;
  readonly content: FileContent;
}

class PlanBuilder {
  readonly #options: PlanOptions;
  readonly #inodes: Ext4Inode[] = [];
  readonly #directories = new Map<string, OpenDirectory>();
  readonly #links = new Map<number, LinkGroup>();
  readonly #symlinks: { inode: Ext4Inode; target: Buffer }[] = [];
  readonly #files: LinkGroup[] = [];

  constructor(options: PlanOptions) {
    this.#options = options;
  }

  addRoot(entry: TreeEntry): void {
    const inode = this.#inode(entry, ROOT_INODE);
    inode.links = 2;
    this.#directories.set("", { inode, parent: ROOT_INODE, items: [] });
  }

  addLostFound(): void {
    this.add({ type: "directory", path: LOST_FOUND, mode: 0o700, uid: 0, gid: 0 });
  }

  add(entry: TreeEntry): void {
    const parent = this.#directories.get(parentPath(entry.path));
    if (parent === undefined) throw new Error(`ext4: no directory in the tree holds ${entry.path}`);
    const name = baseName(entry.path);
    checkName(name, entry.path);
    if (entry.path === LOST_FOUND && entry.type !== "directory")
      throw new BootwrightError("TREE_CONFLICT", `ext4: /${LOST_FOUND} is a ${entry.type}; e2fsck needs a directory`);
    const inode = this.#linked(entry) ?? this.#newInode(entry, parent);
    inode.links++;
    if (inode.links > MAX_LINKS && entry.type !== "directory")
      throw limit(entry.path, `hard link ${inode.links} of one file`, `${MAX_LINKS} links`);
    parent.items.push({ inode: inode.number, name, type: ENTRY_TYPES[entry.type] });
  }

  finish(): Ext4Plan {
    const directories: Ext4Directory[] = [];
    for (const [path, { inode, parent, items }] of this.#directories) {
      const plan =
        path === LOST_FOUND && items.length === 0
          ? { blocks: LOST_FOUND_BLOCKS }
          : planDirectory(items, this.#options.hashSeed, path);
      inode.size = plan.blocks * EXT4_BLOCK;
      if (plan.leaves !== undefined) inode.flags = INDEXED_DIRECTORY;
      // dir_nlink: 1 stands for "more than can be counted".
      if (inode.links > MAX_LINKS) inode.links = 1;
      directories.push({ inode, parent, items, plan });
    }
    return {
      root: directories[0]!.inode,
      inodes: this.#inodes,
      directories,
      symlinks: this.#symlinks,
      files: this.#files,
    };
  }

  #linked(entry: TreeEntry): Ext4Inode | undefined {
    if (entry.type !== "file" || entry.link === undefined) return undefined;
    const group = this.#links.get(entry.link);
    if (group === undefined) return undefined;
    if (group.content.hash !== entry.content.hash || group.content.size !== entry.content.size)
      throw new Error(`ext4: hard link ${entry.path} differs in content from ${group.inode.path}`);
    return group.inode;
  }

  #newInode(entry: TreeEntry, parent: OpenDirectory): Ext4Inode {
    const inode = this.#inode(entry, FIRST_INODE + this.#inodes.length);
    this.#inodes.push(inode);
    if (entry.type === "directory") {
      parent.inode.links++;
      inode.links++;
      this.#directories.set(entry.path, { inode, parent: parent.inode.number, items: [] });
    } else if (entry.type === "symlink" && inode.inline === undefined)
      this.#symlinks.push({ inode, target: bytesFromPath(entry.target) });
    else if (entry.type === "file") {
      const file = { inode, content: entry.content };
      if (entry.link !== undefined) this.#links.set(entry.link, file);
      if (entry.content.size > 0) this.#files.push(file);
    }
    return inode;
  }

  #inode(entry: TreeEntry, number: number): Ext4Inode {
    const { path, uid, gid } = entry;
    for (const id of [uid, gid])
      if (!(Number.isInteger(id) && id >= 0 && id <= 0xffff_ffff)) throw limit(path, `owner ${id}`, "32 bits");
    const time = entry.mtime ?? this.#options.epoch;
    encodeTime(time, path); // Says now what does not fit.
    const inline = inlineOf(entry);
    return {
      number,
      path,
      mode: FILE_TYPE_BITS[entry.type] | entry.mode,
      uid,
      gid,
      time,
      ...(inline !== undefined && { inline }),
      xattrs: entry.xattrs?.length ? encodeXattrs(entry.xattrs, { room: XATTR_ROOM, path }) : NO_XATTRS,
      links: 0,
      flags: 0,
      size: sizeOf(entry),
      runs: [],
      extentBlocks: [],
      xattrBlock: 0,
    };
  }
}

function checkName(name: string, path: string): void {
  if (name === "" || name === "." || name === ".." || path.includes("\0")) throw new Error(`ext4: path ${path}`);
  // Most names are short enough whatever their letters.
  if (name.length > MAX_NAME / 3 && nameLength(name) > MAX_NAME) throw limit(path, "a name", `${MAX_NAME} bytes`);
  if (path.length > MAX_PATH / 3 && nameLength(path) > MAX_PATH) throw limit(path, "the path", `${MAX_PATH} bytes`);
}

function sizeOf(entry: TreeEntry): number {
  if (entry.type === "symlink") return nameLength(entry.target);
  if (entry.type !== "file") return 0;
  const { size } = entry.content;
  // Extents number a file's blocks with 32 bits.
  if (size > (2 ** 32 - 1) * EXT4_BLOCK) throw limit(entry.path, `${size} bytes`, `${(2 ** 32 - 1) * EXT4_BLOCK}`);
  return size;
}

function inlineOf(entry: TreeEntry): Buffer | undefined {
  switch (entry.type) {
    case "char":
    case "block":
      return deviceNumber(entry);
    case "fifo":
    case "socket":
      return Buffer.alloc(INLINE_SYMLINK);
    case "symlink": {
      const target = bytesFromPath(entry.target);
      if (target.length === 0 || target.includes(0)) throw new Error(`ext4: ${entry.path}: target "${entry.target}"`);
      if (target.length >= EXT4_BLOCK) throw limit(entry.path, `a target of ${target.length} bytes`, "4095");
      if (target.length >= INLINE_SYMLINK) return undefined;
      return Buffer.concat([target], INLINE_SYMLINK);
    }
    default:
      return undefined;
  }
}

/** 8 + 8 bits in the first word as ever, larger numbers as 12 + 20 bits in the second. */
function deviceNumber({ path, major, minor }: DeviceEntry): Buffer {
  if (!(major >= 0 && major < 2 ** 12 && minor >= 0 && minor < 2 ** 20))
    throw limit(path, `device ${major}:${minor}`, "4095:1048575");
  const out = Buffer.alloc(INLINE_SYMLINK);
  if (major < 256 && minor < 256) out.writeUInt32LE((major << 8) | minor, 0);
  else out.writeUInt32LE(((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0, 4);
  return out;
}

const limit = (path: string, what: string, most: string): BootwrightError =>
  new BootwrightError("LIMIT_EXCEEDED", `ext4: ${path.slice(0, 300)}: ${what}; the format holds at most ${most}`);
