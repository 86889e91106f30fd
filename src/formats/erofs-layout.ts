/**
 * Gives everything of an EROFS volume its place, in the order in which it will be written. Inodes and the ends of their
 * contents are packed into blocks; a block of files' inodes stands behind the whole blocks of those files, so that each
 * content is read once and nothing waits in memory but what some open blocks hold.
 */
import { alignUp } from "../base/bytes.ts";
import { blockCount, bodySize, EROFS_BLOCK, INODE_SLOT } from "./erofs-inode.ts";
import type { ErofsNode, ErofsPlan } from "./erofs-plan.ts";

/** Something at a block. They rise. */
export type ErofsPiece =
  /** Inodes, attributes and inline contents; `nodes` by rising place. */
  | { readonly kind: "inodes"; readonly block: number; readonly blocks: number; readonly nodes: readonly ErofsNode[] }
  /** The whole blocks of a content. */
  | { readonly kind: "content"; readonly block: number; readonly node: ErofsNode }
  | { readonly kind: "xattrs"; readonly block: number };

export interface ErofsLayout {
  readonly pieces: readonly ErofsPiece[];
  /** Of the shared attributes; 0 when there are none. */
  readonly xattrBlock: number;
  /** Of the whole volume. */
  readonly blocks: number;
}

/** The superblock's block; the root's number has 16 bits, so its inode comes next. */
const FIRST_BLOCK = 1;
/** How many blocks of inodes stay open for an end that fits: more waste less, and each holds a block in memory. */
const OPEN_BINS = 8;

/** Sets `at`, `block` and `tail` of each inode. */
export function layOut(plan: ErofsPlan): ErofsLayout {
  const pieces: ErofsPiece[] = [];
  let next = FIRST_BLOCK;
  const close = (bin: Bin): void => {
    pieces.push({ kind: "inodes", block: next, blocks: bin.blocks, nodes: bin.nodes });
    for (const { inode } of bin.nodes) inode.at += next * EROFS_BLOCK;
    next += bin.blocks;
  };
  const content = (node: ErofsNode): void => {
    const count = blockCount(node.inode);
    if (count === 0) return;
    node.inode.block = next;
    pieces.push({ kind: "content", block: next, node });
    next += count;
  };

  for (const node of plan.structure) chooseTail(node);
  packAll(plan.structure).forEach(close);
  const xattrBlock = plan.sharedXattrs.length === 0 ? 0 : next;
  if (xattrBlock !== 0) {
    pieces.push({ kind: "xattrs", block: next });
    next += Math.ceil(plan.sharedXattrs.length / EROFS_BLOCK);
  }
  for (const node of plan.structure) content(node);

  const open = new OpenBins(OPEN_BINS, close);
  for (const node of plan.files) {
    chooseTail(node);
    content(node);
    open.add(node);
  }
  open.closeAll();
  return { pieces, xattrBlock, blocks: next + (endsWithInode(pieces.at(-1)) ? 1 : 0) };
}

/** fsck.erofs 1.5 looks for attributes behind an inode that has none, also past the end of the volume. */
function endsWithInode(piece: ErofsPiece | undefined): boolean {
  const last = piece?.kind === "inodes" ? piece.nodes.at(-1) : undefined;
  return (
    last !== undefined && piece?.kind === "inodes" && endOf(last) + 12 > (piece.block + piece.blocks) * EROFS_BLOCK
  );
}

const endOf = ({ inode }: ErofsNode): number => inode.at + inode.headSize;

/** Inode, attributes and inline end are in one block, or the end is not inline. */
function chooseTail({ inode }: ErofsNode): void {
  const rest = inode.size % EROFS_BLOCK;
  inode.tail = bodySize(inode) + rest <= EROFS_BLOCK ? rest : 0;
}

interface Bin {
  /** One, unless a single inode has very many attributes. */
  readonly blocks: number;
  readonly nodes: ErofsNode[];
  free: number;
}

/** The first node is in the first bin. */
function packAll(nodes: readonly ErofsNode[]): readonly Bin[] {
  const bins: Bin[] = [];
  const open = new OpenBins(OPEN_BINS, () => {}, bins);
  for (const node of nodes) open.add(node);
  return bins;
}

class OpenBins {
  readonly #most: number;
  readonly #close: (bin: Bin) => void;
  /** Every bin ever opened, in order. */
  readonly #all: Bin[] | undefined;
  readonly #open: Bin[] = [];

  constructor(most: number, close: (bin: Bin) => void, all?: Bin[]) {
    this.#most = most;
    this.#close = close;
    this.#all = all;
  }

  /** Into the fullest bin that has room. */
  add(node: ErofsNode): void {
    const need = alignUp(bodySize(node.inode) + node.inode.tail, INODE_SLOT);
    let best: Bin | undefined;
    for (const bin of this.#open) if (bin.free >= need && (best === undefined || bin.free < best.free)) best = bin;
    const bin = best ?? this.#newBin(need);
    node.inode.at = bin.blocks * EROFS_BLOCK - bin.free;
    bin.free -= need;
    bin.nodes.push(node);
  }

  closeAll(): void {
    for (const bin of this.#open.splice(0)) this.#close(bin);
  }

  #newBin(need: number): Bin {
    if (this.#open.length === this.#most) {
      const fullest = this.#open.reduce((a, b) => (b.free < a.free ? b : a));
      this.#open.splice(this.#open.indexOf(fullest), 1);
      this.#close(fullest);
    }
    const blocks = Math.ceil(need / EROFS_BLOCK);
    const bin: Bin = { blocks, nodes: [], free: blocks * EROFS_BLOCK };
    this.#open.push(bin);
    this.#all?.push(bin);
    return bin;
  }
}
