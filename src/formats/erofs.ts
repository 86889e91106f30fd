/**
 * Writes an EROFS volume in one pass (fs/erofs/erofs_fs.h): read-only, not compressed, ends of files packed beside their
 * inodes. The same tree gives the same bytes; each content is read once; zeros stay holes.
 */
import { bytesFromPath } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { EROFS_BLOCK } from "./erofs-inode.ts";
import { layOut } from "./erofs-layout.ts";
import { planErofs } from "./erofs-plan.ts";
import { writeVolume } from "./erofs-volume.ts";
import type { FileTree, ReadContent } from "./filetree.ts";
import { bytesOnly, type ImagePiece, type SparseWrite } from "./sparse-write.ts";
import { seededUuid } from "./uuid.ts";

export interface ErofsOptions {
  readonly read: ReadContent;
  /** The volume's UUID is made from it. */
  readonly seed: string;
  /** Seconds since the epoch: when the volume was made, and the time of entries without their own. */
  readonly epoch: number;
  /** At most 16 bytes. */
  readonly label?: string;
}

export interface ErofsImage {
  /** Bytes, a multiple of 4096. */
  readonly size: number;
  readonly uuid: string;
  /**
   * The ranges that hold data, in rising order; any number of times. The bytes of each are good until the next is taken:
   * their buffer is used again, which keeps memory flat.
   */
  readonly writes: () => Generator<SparseWrite>;
  /** The same, with contents of at least `refer` bytes as references, but for their last bytes. */
  readonly pieces: (refer: number) => Generator<ImagePiece>;
}

/**
 * Throws LIMIT_EXCEEDED (names, owners, link counts, device numbers, attributes and sizes over the format's fields),
 * UNSUPPORTED (attribute names), and plain Errors for a tree that is none (no root, a missing parent, not sorted) and, while
 * writing, when `read` does not deliver its size.
 */
export function encodeErofs(tree: FileTree, { read, seed, epoch, label = "" }: ErofsOptions): ErofsImage {
  if (!(Number.isSafeInteger(epoch) && epoch >= 0)) throw new Error(`EROFS: epoch ${epoch}`);
  const name = bytesFromPath(label);
  if (name.length > 16 || name.includes(0))
    throw new BootwrightError("LIMIT_EXCEEDED", `EROFS: label "${label}"; at most 16 bytes, no NUL`);
  const plan = planErofs(tree, epoch);
  const layout = layOut(plan);
  if (layout.blocks > 0xffff_ffff)
    throw new BootwrightError("LIMIT_EXCEEDED", `EROFS: ${layout.blocks} blocks; the format holds at most 4294967295`);
  const uuid = seededUuid(seed, "erofs");
  const volume = { plan, layout, uuid: Buffer.from(uuid.replaceAll("-", ""), "hex"), label: name, epoch };
  return {
    size: layout.blocks * EROFS_BLOCK,
    uuid,
    writes: () => bytesOnly(writeVolume(volume, { read, refer: Number.POSITIVE_INFINITY })),
    pieces: (refer) => writeVolume(volume, { read, refer }),
  };
}
