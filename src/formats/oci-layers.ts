/**
 * Applies an image's layers one above the other: later entries replace, `.wh.NAME` hides NAME of the layers below, and
 * `.wh..wh..opq` hides all that the layers below have in its directory. Unlike a merge of trees, a directory takes the
 * mode and owner that the latest layer gives it, and hard links join names of different layers.
 *
 * A layer's entries go shallow ones first, whiteouts before files, so that what is below a name only comes when it is
 * decided what that name is. Each name knows its layer: a whiteout never hides what its own layer has.
 */
import { comparePaths } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { baseName, type FileTree, parentPath, type TreeEntry } from "./filetree.ts";

export interface OciLayer {
  readonly tree: FileTree;
  /** Hard links to files of layers below: [path, target]. */
  readonly links: readonly (readonly [path: string, target: string])[];
  /** Named in errors. */
  readonly what: string;
}

export const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
/** Of AUFS, which invented all this: its own bookkeeping. */
const BOOKKEEPING = ".wh..wh.";
/** As path_resolution(7). */
const MAX_LINKS = 40;
const MAX_PATH = 4095;

/** What several names may share. */
interface Inode {
  readonly entry: TreeEntry;
}

interface Node {
  inode: Inode;
  layer: number;
  readonly children: Map<string, Node>;
}

/** The tree that a container would see. Throws FORMAT_INVALID, PATH_UNSAFE, TREE_CONFLICT. */
export function applyOciLayers(layers: readonly OciLayer[]): FileTree {
  const root: Node = { inode: { entry: directory("") }, layer: -1, children: new Map() };
  for (const [number, layer] of layers.entries()) new LayerWriter(root, { number, what: layer.what }).apply(layer);
  return listing(root);
}

class LayerWriter {
  readonly #root: Node;
  readonly #number: number;
  readonly #what: string;
  readonly #groups = new Map<number, Inode>();

  constructor(root: Node, { number, what }: { number: number; what: string }) {
    this.#root = root;
    this.#number = number;
    this.#what = what;
  }

  apply({ tree, links }: OciLayer): void {
    // A file may be linked to and hidden by one layer: it moved.
    const below = links.map(([, target]) => this.#find(target)?.inode);
    for (const { entry, whiteout } of inOrder(tree)) {
      if (whiteout === undefined) this.#put(entry.path, this.#inode(entry));
      else this.#hide(parentPath(entry.path), whiteout);
    }
    for (const [i, [path, target]] of links.entries()) {
      const inode = below[i] ?? this.#find(target)?.inode;
      if (inode === undefined || inode.entry.type === "directory")
        throw new BootwrightError(
          "PATH_UNSAFE",
          `${this.#what}: the hard link /${path} points to /${target}, which neither this layer nor one below has as a file`,
        );
      this.#put(path, inode);
    }
  }

  #inode(entry: TreeEntry): Inode {
    if (entry.type !== "file" || entry.link === undefined) return { entry };
    const known = this.#groups.get(entry.link);
    if (known !== undefined) return known;
    const inode = { entry };
    this.#groups.set(entry.link, inode);
    return inode;
  }

  #put(path: string, inode: Inode): void {
    const isDirectory = inode.entry.type === "directory";
    if (path === "") {
      if (!isDirectory) throw this.#conflict(path, `a ${inode.entry.type}`);
      this.#root.inode = inode;
      return;
    }
    const parent = this.#makeDirectory(parentPath(path));
    const name = baseName(path);
    const there = parent.children.get(name);
    if (there !== undefined && there.inode.entry.type === "directory" && isDirectory) {
      there.inode = inode;
      there.layer = this.#number;
    } else parent.children.set(name, { inode, layer: this.#number, children: new Map() });
  }

  /** `name` null: all that the directory has. */
  #hide(path: string, name: string | null): void {
    const parent = this.#find(path, { last: true });
    if (parent === undefined) return;
    for (const child of name === null ? [...parent.children.keys()] : [name])
      if (this.#prune(parent.children.get(child))) parent.children.delete(child);
  }

  /** Takes out what layers below have; true when nothing is left. */
  #prune(node: Node | undefined): boolean {
    if (node === undefined) return true;
    const pending = [node];
    const order: Node[] = [];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      order.push(next);
      pending.push(...next.children.values());
    }
    // Children stand behind their parents, so backwards they are decided first.
    for (const one of order.reverse())
      for (const [name, child] of one.children)
        if (child.layer < this.#number && child.children.size === 0) one.children.delete(name);
    return node.layer < this.#number && node.children.size === 0;
  }

  #makeDirectory(path: string): Node {
    const there = this.#find(path, { last: true });
    if (there !== undefined) {
      if (there.inode.entry.type !== "directory") throw this.#conflict(path, "a directory");
      return there;
    }
    const parent = this.#makeDirectory(parentPath(path));
    const name = baseName(path);
    if (parent.children.has(name)) throw this.#conflict(path, "a directory"); // A link that leads nowhere.
    const made: Node = { inode: { entry: directory(path) }, layer: this.#number, children: new Map() };
    parent.children.set(name, made);
    return made;
  }

  /** Follows links in all but the last component, and there when `last` asks for it; `..` stops at the root. */
  #find(path: string, { last = false } = {}): Node | undefined {
    const rest = split(path).reverse();
    const way: Node[] = [this.#root];
    let followed = 0;
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === "..") {
        if (way.length > 1) way.pop();
        continue;
      }
      const node = way.at(-1)!.children.get(name);
      if (node === undefined) return undefined;
      const { entry } = node.inode;
      if (entry.type === "symlink" && (rest.length > 0 || last)) {
        if (++followed > MAX_LINKS)
          throw new BootwrightError("PATH_UNSAFE", `${this.#what}: /${path} runs into a loop of symbolic links`);
        if (entry.target.startsWith("/")) way.length = 1;
        rest.push(...split(entry.target).reverse());
      } else way.push(node);
    }
    return way.at(-1);
  }

  #conflict(path: string, wanted: string): BootwrightError {
    const there = this.#find(path)?.inode.entry.type ?? "directory";
    return new BootwrightError("TREE_CONFLICT", `${this.#what}: /${path} is to be ${wanted}, but it is a ${there}`);
  }
}

const split = (path: string): string[] => path.split("/").filter((part) => part !== "" && part !== ".");

/** `whiteout`: the name that is hidden; null is every name. */
function inOrder(tree: FileTree): { entry: TreeEntry; whiteout?: string | null }[] {
  const drafts = tree.flatMap((entry) => {
    const name = baseName(entry.path);
    const depth = entry.path.split("/").length;
    if (name === OPAQUE) return [{ entry, whiteout: null, rank: 2 * depth }];
    if (entry.path.startsWith(BOOKKEEPING) || entry.path.includes(`/${BOOKKEEPING}`)) return [];
    if (!name.startsWith(WHITEOUT)) return [{ entry, rank: 2 * depth + 1 }];
    const whiteout = name.slice(WHITEOUT.length);
    if (whiteout === "" || whiteout === "." || whiteout === "..")
      throw new BootwrightError("FORMAT_INVALID", `layer: the whiteout /${entry.path} names no file`);
    return [{ entry, whiteout, rank: 2 * depth }];
  });
  return drafts.sort((a, b) => a.rank - b.rank); // Stable: equal ones stay in the order of their paths.
}

/** Sorted; hard-link groups are numbered by first appearance, and a group of one is no group. */
function listing(root: Node): FileTree {
  const found: { path: string; inode: Inode }[] = [];
  const pending: { path: string; node: Node }[] = [{ path: "", node: root }];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { path, node } = next;
    // Through a link a name may end deeper than any layer says.
    if (path.length > MAX_PATH)
      throw new BootwrightError(
        "PATH_UNSAFE",
        `container image: a path longer than ${MAX_PATH} bytes: /${path.slice(0, 200)}`,
      );
    found.push({ path, inode: node.inode });
    for (const [name, child] of node.children)
      pending.push({ path: path === "" ? name : `${path}/${name}`, node: child });
  }
  found.sort((a, b) => comparePaths(a.path, b.path));
  const names = new Map<Inode, number>();
  for (const { inode } of found) names.set(inode, (names.get(inode) ?? 0) + 1);
  const numbers = new Map<Inode, number>();
  return found.map(({ path, inode }) => {
    const entry: TreeEntry = inode.entry.path === path ? inode.entry : { ...inode.entry, path };
    if (entry.type !== "file") return entry;
    const shared = names.get(inode)! > 1;
    if (!shared && entry.link === undefined) return entry;
    const { link: _, ...alone } = entry;
    if (!shared) return alone;
    if (!numbers.has(inode)) numbers.set(inode, numbers.size + 1);
    return { ...alone, link: numbers.get(inode)! };
  });
}

const directory = (path: string): TreeEntry => ({ type: "directory", path, mode: 0o755, uid: 0, gid: 0 });
