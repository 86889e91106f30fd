/**
 * dm-verity hash trees (kernel Documentation/admin-guide/device-mapper/verity.rst; cryptsetup's on-disk format "verity",
 * version 1): SHA-256 over blocks of 4096 bytes, the salt before each block. Made while the data passes by; in memory is the
 * tree, one 128th of the data.
 */
import { hash } from "node:crypto";
import { ByteReader, formatError } from "./byte-reader.ts";

export const VERITY_BLOCK = 4096;
const DIGEST = 32;
const PER_BLOCK = VERITY_BLOCK / DIGEST;
const MAX_SALT = 256;

export interface VerityOptions {
  /** At most 256 bytes. */
  readonly salt: Uint8Array;
  /** 16 bytes. */
  readonly uuid: Uint8Array;
}

export interface VerityTree {
  /** Hex. */
  readonly rootHash: string;
  /** Blocks of data, the last one filled up with zeros. */
  readonly dataBlocks: number;
  /** Superblock and tree: what comes behind the data, or on a device of its own. */
  readonly bytes: Buffer;
}

/** Takes the data in chunks of any size; `end` gives the tree. */
export class VerityHasher {
  readonly #options: VerityOptions;
  /** Salt, then one block. */
  readonly #room: Buffer;
  #filled = 0;
  #digests: Buffer[] = [];
  #current = Buffer.alloc(64 * VERITY_BLOCK);
  #used = 0;

  constructor(options: VerityOptions) {
    const { salt, uuid } = options;
    if (salt.length > MAX_SALT || uuid.length !== 16) throw new Error("verity: a salt or UUID of another size");
    this.#options = options;
    this.#room = Buffer.alloc(salt.length + VERITY_BLOCK);
    this.#room.set(salt);
  }

  update(chunk: Uint8Array): void {
    const start = this.#options.salt.length;
    for (let at = 0; at < chunk.length; ) {
      const take = Math.min(VERITY_BLOCK - this.#filled, chunk.length - at);
      this.#room.set(take === chunk.length ? chunk : chunk.subarray(at, at + take), start + this.#filled);
      at += take;
      this.#filled += take;
      if (this.#filled === VERITY_BLOCK) this.#close();
    }
  }

  /** Throws a plain Error when there was no data. */
  end(): VerityTree {
    if (this.#filled > 0) {
      this.#room.fill(0, this.#options.salt.length + this.#filled);
      this.#close();
    }
    const level0 = Buffer.concat([...this.#digests, this.#current.subarray(0, this.#used)]);
    const dataBlocks = level0.length / DIGEST;
    if (dataBlocks === 0) throw new Error("verity: no data");
    // A single block needs no tree: its digest is the root hash.
    const levels = dataBlocks === 1 ? [] : buildLevels(level0, this.#options.salt);
    const top = levels.at(-1);
    return {
      rootHash: (top === undefined ? level0 : saltedHash(top, this.#options.salt)).toString("hex"),
      dataBlocks,
      // The top level lies first.
      bytes: Buffer.concat([superblock(dataBlocks, this.#options), ...levels.reverse()]),
    };
  }

  #close(): void {
    if (this.#used === this.#current.length) {
      this.#digests.push(this.#current);
      this.#current = Buffer.alloc(1024 * VERITY_BLOCK);
      this.#used = 0;
    }
    // As text: Node makes a string of 32 characters in half the time of a Buffer.
    this.#current.write(hash("sha256", this.#room, "binary"), this.#used, "latin1");
    this.#used += DIGEST;
    this.#filled = 0;
  }
}

/** Levels of whole blocks, from the data upwards; the last is one block. */
function buildLevels(level0: Buffer, salt: Uint8Array): Buffer[] {
  const levels = [padded(level0)];
  for (let level = levels[0]!; level.length > VERITY_BLOCK; ) {
    const digests = Buffer.alloc((level.length / VERITY_BLOCK) * DIGEST);
    for (let block = 0; block * VERITY_BLOCK < level.length; block++)
      digests.set(saltedHash(level.subarray(block * VERITY_BLOCK, (block + 1) * VERITY_BLOCK), salt), block * DIGEST);
    level = padded(digests);
    levels.push(level);
  }
  return levels;
}

const padded = (digests: Buffer): Buffer => {
  const blocks = Math.ceil(digests.length / (PER_BLOCK * DIGEST));
  return Buffer.concat([digests, Buffer.alloc(blocks * VERITY_BLOCK - digests.length)]);
};

const saltedHash = (block: Uint8Array, salt: Uint8Array): Buffer =>
  hash("sha256", Buffer.concat([salt, block]), "buffer");

/** One hash block (cryptsetup lib/verity/verity.c, struct verity_sb). */
function superblock(dataBlocks: number, { salt, uuid }: VerityOptions): Buffer {
  const block = Buffer.alloc(VERITY_BLOCK);
  block.write("verity", 0, "latin1");
  block.writeUInt32LE(1, 8); // Version of the superblock.
  block.writeUInt32LE(1, 12); // Hash type: the salt comes first.
  block.set(uuid, 16);
  block.write("sha256", 32, "latin1");
  block.writeUInt32LE(VERITY_BLOCK, 64);
  block.writeUInt32LE(VERITY_BLOCK, 68);
  block.writeBigUInt64LE(BigInt(dataBlocks), 72);
  block.writeUInt16LE(salt.length, 80);
  block.set(salt, 88);
  return block;
}

export interface VeritySuperblock {
  readonly uuid: Uint8Array;
  readonly salt: Uint8Array;
  readonly dataBlocks: number;
}

/** Throws FORMAT_INVALID, also for block sizes and digests that we do not write. */
export function readVeritySuperblock(bytes: Uint8Array, what: string): VeritySuperblock {
  const reader = new ByteReader(bytes, { format: what });
  if (reader.cString(0, 8) !== "verity") throw formatError(what, 0, 'the signature "verity"');
  if (reader.u32(8) !== 1 || reader.u32(12) !== 1) throw formatError(what, 8, "a superblock of version 1, hash type 1");
  if (reader.cString(32, 32) !== "sha256") throw formatError(what, 32, "sha256");
  if (reader.u32(64) !== VERITY_BLOCK || reader.u32(68) !== VERITY_BLOCK)
    throw formatError(what, 64, "blocks of 4096 bytes");
  const saltSize = reader.u16(80);
  if (saltSize > MAX_SALT) throw formatError(what, 80, "a salt of at most 256 bytes");
  return { uuid: reader.slice(16, 16), dataBlocks: reader.u64(72), salt: reader.slice(88, saltSize) };
}
