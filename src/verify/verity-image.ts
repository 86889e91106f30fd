/** Recomputes a dm-verity image: its data must hash to the root, and the tree that the kernel will use must be that tree. */
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { type ByteSource, readChunks, readExactly } from "../formats/byte-source.ts";
import { readVeritySuperblock, VERITY_BLOCK, VerityHasher } from "../formats/verity.ts";
import { fileSystemSize } from "./file-system-size.ts";

export interface VerityImage {
  /** Hex, of what is there. */
  readonly rootHash: string;
  /** Hex. */
  readonly salt: string;
  readonly dataBlocks: number;
  /** Bytes up to the superblock. */
  readonly hashOffset: number;
  /** The stored tree is the data's. */
  readonly treeIntact: boolean;
}

/** Where the superblock lies behind a file system, in bytes; undefined when there is none. */
export function findVeritySuperblock(source: ByteSource): number | undefined {
  const size = fileSystemSize(source);
  if (size === undefined) return undefined;
  const at = alignUp(size, VERITY_BLOCK);
  if (!(at > 0) || at + VERITY_BLOCK > source.size) return undefined;
  return Buffer.from(source.read(at, 8)).toString("latin1") === "verity\0\0" ? at : undefined;
}

/** `hashes`: where the tree lies, if not behind the data. In memory is the tree, one 128th of the data. Throws FORMAT_INVALID. */
export function hashVerityImage(
  source: ByteSource,
  {
    hashes = source,
    hashOffset,
    what,
  }: { readonly hashes?: ByteSource; readonly hashOffset: number; readonly what: string },
): VerityImage {
  const superblock = readVeritySuperblock(
    readExactly(hashes, { offset: hashOffset, length: VERITY_BLOCK, format: what }),
    what,
  );
  const length = superblock.dataBlocks * VERITY_BLOCK;
  const end = hashes === source ? hashOffset : source.size;
  if (length === 0 || length > end)
    throw new BootwrightError(
      "FORMAT_INVALID",
      `${what}: ${superblock.dataBlocks} blocks of data where ${end} bytes are`,
    );
  const hasher = new VerityHasher(superblock);
  for (const chunk of readChunks(source, { offset: 0, length, format: what })) hasher.update(chunk);
  const tree = hasher.end();
  const stored = { offset: hashOffset + VERITY_BLOCK, length: tree.bytes.length - VERITY_BLOCK, format: what };
  let treeIntact = stored.offset + stored.length <= hashes.size;
  let at = VERITY_BLOCK;
  if (treeIntact)
    for (const chunk of readChunks(hashes, stored)) {
      if (!tree.bytes.subarray(at, at + chunk.length).equals(chunk)) treeIntact = false;
      at += chunk.length;
    }
  const { rootHash, dataBlocks } = tree;
  return { rootHash, dataBlocks, salt: Buffer.from(superblock.salt).toString("hex"), hashOffset, treeIntact };
}
