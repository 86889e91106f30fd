/**
 * The hash by which indexed directories order their names: MD4 cut to three rounds of eight steps ("half MD4"), started
 * from the volume's seed (Documentation/filesystems/ext4/directory.rst, "Hash Tree Directories"). Names count as
 * unsigned bytes, which the superblock's flags say.
 */

export interface NameHash {
  /** The low bit is always clear: in the index it marks a hash that goes on from the block before. */
  readonly major: number;
  readonly minor: number;
}

/** The last value that the kernel's readdir keeps for "end of directory". */
const END_OF_DIRECTORY = 0xffff_fffe;
const ROUND_2 = 0x5a82_7999;
const ROUND_3 = 0x6ed9_eba1;

/** `seed`: the four words of the superblock's hash seed. */
export function hashName(name: Uint8Array, seed: Uint32Array): NameHash {
  const state = Int32Array.from(seed);
  const block = new Int32Array(8);
  for (let at = 0; at < name.length; at += 32) {
    fillBlock(block, name, at);
    transform(state, block);
  }
  const major = (state[1]! & ~1) >>> 0;
  return { major: major === END_OF_DIRECTORY ? END_OF_DIRECTORY - 2 : major, minor: state[2]! >>> 0 };
}

/** Up to 32 bytes as big-endian words; what is missing is filled with the count of the bytes left. */
function fillBlock(block: Int32Array, name: Uint8Array, from: number): void {
  const left = name.length - from;
  const pad = Math.imul(left & 255, 0x0101_0101);
  for (let word = 0; word < 8; word++) {
    let value = pad;
    for (let i = word * 4; i < word * 4 + 4 && i < left; i++) value = (value << 8) + name[from + i]!;
    block[word] = value;
  }
}

const rotate = (value: number, by: number): number => (value << by) | (value >>> (32 - by));
const choose = (x: number, y: number, z: number): number => z ^ (x & (y ^ z));
const majority = (x: number, y: number, z: number): number => ((x & y) + ((x ^ y) & z)) | 0;
const parity = (x: number, y: number, z: number): number => x ^ y ^ z;

const ROUNDS = [
  { mix: choose, add: 0, order: [0, 1, 2, 3, 4, 5, 6, 7], turns: [3, 7, 11, 19] },
  { mix: majority, add: ROUND_2, order: [1, 3, 5, 7, 0, 2, 4, 6], turns: [3, 5, 9, 13] },
  { mix: parity, add: ROUND_3, order: [3, 7, 2, 6, 1, 5, 0, 4], turns: [3, 9, 11, 15] },
] as const;

function transform(state: Int32Array, block: Int32Array): void {
  let [a, b, c, d] = state as unknown as [number, number, number, number];
  for (const { mix, add, order, turns } of ROUNDS)
    for (let step = 0; step < 8; step++) {
      const turned = rotate((a + mix(b, c, d) + block[order[step]!]! + add) | 0, turns[step & 3]!);
      [a, b, c, d] = [d, turned, b, c];
    }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
}
