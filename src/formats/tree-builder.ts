/**
 * Builds a tree out of layers, as an unpacker into a directory would: later files win, names pass through the symbolic
 * links that are there (`lib` → `usr/lib`), and nothing ever leaves the tree.
 */
import { comparePaths } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { baseName, type DirectoryEntry, type FileTree, parentPath, safePath, type TreeEntry } from "./filetree.ts";
import { numberLinks } from "./filetree-codec.ts";

export interface AddOptions {
  /** Named in errors: "package busybox-static", "files". */
  readonly origin: string;
  /** Directory to put the entries in; default the root. */
  readonly to?: string;
  /** Leading components to drop; entries with fewer vanish. */
  readonly strip?: number;
  /** Only what is below this directory, which becomes the root. */
  readonly subdir?: string;
  /** Directories that exist take the new mode and owner; default they keep theirs. */
  readonly ownDirectories?: boolean;
}

/** Links deeper than the kernel follows (path_resolution(7)) are a loop. */
const MAX_LINKS = 40;

export class TreeBuilder {
  readonly #entries = new Map<string, TreeEntry>();
  readonly #links = new Map<string, string>();
  #nextLink = 1;

  addTree(tree: FileTree, options: AddOptions): void {
    const groups = new Map<number, number>();
    for (const entry of tree) {
      const path = placedPath(entry.path, options);
      if (path === undefined) continue;
      let placed: TreeEntry = { ...entry, path };
      if (placed.type === "file" && placed.link !== undefined) {
        // Link groups of different layers are different inodes.
        if (!groups.has(placed.link)) groups.set(placed.link, this.#nextLink++);
        placed = { ...placed, link: groups.get(placed.link)! };
      }
      this.add(placed, options);
    }
  }

  add(entry: TreeEntry, options: AddOptions): void {
    const path = this.#resolve(entry.path, options.origin);
    this.#makeParents(path, options.origin);
    const there = this.#entries.get(path);
    if (entry.type === "directory") {
      if (there?.type === "directory" && !options.ownDirectories) return;
      if (there?.type === "symlink" && this.#pointsToDirectory(path, options.origin)) return;
      if (there !== undefined && there.type !== "directory") throw conflict(path, options.origin, "a directory", there);
    } else if (there?.type === "directory") throw conflict(path, options.origin, `a ${entry.type}`, there);
    this.#set({ ...entry, path });
  }

  get(path: string): TreeEntry | undefined {
    return this.#entries.get(this.#resolve(path, "tree"));
  }

  has(path: string): boolean {
    return this.get(path) !== undefined;
  }

  /** Replaces an entry that is there. Of a hard-linked file the other names change along: they are one inode. */
  update(path: string, change: (entry: TreeEntry) => TreeEntry): boolean {
    const at = this.#resolve(path, "tree");
    const entry = this.#entries.get(at);
    if (entry === undefined) return false;
    const changed = { ...change(entry), path: at };
    this.#set(changed);
    if (changed.type !== "file" || changed.link === undefined) return true;
    for (const other of this.#entries.values())
      if (other.type === "file" && other.link === changed.link && other.path !== at)
        this.#set({ ...changed, path: other.path });
    return true;
  }

  /** Removes entries, and with a directory all below it. */
  remove(matches: (path: string) => boolean): number {
    let removed = 0;
    const gone = new Set<string>();
    for (const path of [...this.#entries.keys()].sort(comparePaths)) {
      if (path === "" || !(gone.has(parentPath(path)) || matches(path))) continue;
      gone.add(path);
      this.#entries.delete(path);
      this.#links.delete(path);
      removed++;
    }
    return removed;
  }

  paths(): IterableIterator<string> {
    return this.#entries.keys();
  }

  /** Sorted, with a root, and hard-link groups numbered by first appearance; a group of one is no group. */
  build(): FileTree {
    if (!this.#entries.has("")) this.#set(plainDirectory(""));
    const sorted = [...this.#entries.values()].sort((a, b) => comparePaths(a.path, b.path));
    return numberLinks(sorted);
  }

  #set(entry: TreeEntry): void {
    this.#entries.set(entry.path, entry);
    if (entry.type === "symlink") this.#links.set(entry.path, entry.target);
    else this.#links.delete(entry.path);
  }

  #makeParents(path: string, origin: string): void {
    if (path === "") return;
    const parent = parentPath(path);
    const there = this.#entries.get(parent);
    if (there === undefined) {
      this.#makeParents(parent, origin);
      this.#set(plainDirectory(parent));
    } else if (there.type !== "directory") throw conflict(parent, origin, "a directory", there);
  }

  /** Follows links in all but the last component. */
  #resolve(path: string, origin: string, depth = 0): string {
    if (this.#links.size === 0) return path;
    let at = 0;
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", at)) {
      const prefix = path.slice(0, slash);
      const target = this.#links.get(prefix);
      at = slash + 1;
      if (target === undefined) continue;
      if (depth >= MAX_LINKS)
        throw new BootwrightError("PATH_UNSAFE", `${origin}: /${path} runs into a loop of symbolic links`);
      return this.#resolve(joinTarget(prefix, target, path.slice(slash + 1)), origin, depth + 1);
    }
    return path;
  }

  #pointsToDirectory(path: string, origin: string): boolean {
    let at = path;
    for (let depth = 0; depth < MAX_LINKS; depth++) {
      const target = this.#links.get(at);
      if (target === undefined) return this.#entries.get(at)?.type === "directory";
      at = this.#resolve(joinTarget(at, target, ""), origin);
    }
    return false;
  }
}

/** Where a link's target lies, `..` stopping at the root as it does for a process whose root the tree is. */
function joinTarget(link: string, target: string, rest: string): string {
  const parts = target.startsWith("/") ? [] : link.split("/").slice(0, -1);
  for (const part of `${target}/${rest}`.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.join("/");
}

function placedPath(path: string, { to = "", strip = 0, subdir = "", origin }: AddOptions): string | undefined {
  let at = path;
  if (subdir !== "") {
    if (at !== subdir && !at.startsWith(`${subdir}/`)) return undefined;
    at = at.slice(subdir.length + 1);
  }
  if (strip > 0) {
    const parts = at.split("/");
    if (at === "" || parts.length <= strip) return undefined;
    at = parts.slice(strip).join("/");
  }
  const base = safePath(to, origin, { absolute: true });
  return base === "" ? at : at === "" ? base : `${base}/${at}`;
}

export const plainDirectory = (path: string): DirectoryEntry => ({
  type: "directory",
  path,
  mode: 0o755,
  uid: 0,
  gid: 0,
});

const conflict = (path: string, origin: string, wanted: string, there: TreeEntry) =>
  new BootwrightError("TREE_CONFLICT", `${origin} makes /${path} ${wanted}, but it is a ${there.type} already`, {
    hint: `remove ${baseName(path)} from one of the two`,
  });
