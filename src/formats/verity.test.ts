import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";

import { tempDir } from "../../test/support/temp-store.ts";
import { readVeritySuperblock, VERITY_BLOCK, VerityHasher, type VerityTree } from "./verity.ts";

const SALT = Buffer.from("5a".repeat(32), "hex");
const UUID = "11111111-2222-3333-4444-555555555555";
const uuid = Buffer.from(UUID.replaceAll("-", ""), "hex");

function treeOf(data: Uint8Array, { salt = SALT, step = data.length } = {}): VerityTree {
  const hasher = new VerityHasher({ salt, uuid });
  for (let at = 0; at < data.length; at += step) hasher.update(data.subarray(at, at + step));
  return hasher.end();
}

const veritysetup = (...words: string[]): string =>
  execFileSync(needProgram("veritysetup", "cryptsetup-bin"), words, { encoding: "utf8", stdio: "pipe" });

// One block, a full and an over-full block of digests, and one more level.
test.each([
  1,
  VERITY_BLOCK,
  VERITY_BLOCK + 1,
  128 * VERITY_BLOCK,
  128 * VERITY_BLOCK + 1,
  128 * 128 * VERITY_BLOCK + 1,
])("%i bytes: the tree of veritysetup, byte for byte", (size) => {
  const dir = tempDir();
  const data = Buffer.alloc(Math.ceil(size / VERITY_BLOCK) * VERITY_BLOCK);
  data.set(randomBytes(size));
  const [dataFile, hashFile] = [path.join(dir, "data"), path.join(dir, "hash")];
  fs.writeFileSync(dataFile, data);
  const out = veritysetup("format", dataFile, hashFile, `--salt=${SALT.toString("hex")}`, `--uuid=${UUID}`);
  const tree = treeOf(data.subarray(0, size));
  expect(/Root hash:\s+([0-9a-f]+)/.exec(out)?.[1]).toBe(tree.rootHash);
  expect(fs.readFileSync(hashFile).equals(tree.bytes)).toBe(true);
});

test("veritysetup verifies data with the tree behind it, and notices one changed bit of either", () => {
  const file = path.join(tempDir(), "image");
  const data = Buffer.from(randomBytes(300 * VERITY_BLOCK));
  const tree = treeOf(data);
  const whole = Buffer.concat([data, tree.bytes]);
  const verify = (bytes: Uint8Array) => {
    fs.writeFileSync(file, bytes);
    return veritysetup("verify", file, file, tree.rootHash, `--hash-offset=${data.length}`);
  };
  expect(() => verify(whole)).not.toThrow();
  for (const at of [0, 150 * VERITY_BLOCK + 7, data.length - 1, data.length + VERITY_BLOCK, whole.length - 4000]) {
    const bad = Buffer.from(whole);
    bad[at]! ^= 1;
    expect(() => verify(bad), `byte ${at}`).toThrow();
  }
});

test("the tree does not depend on the pieces that the data comes in, nor on a salt's length", () => {
  const data = Buffer.from(randomBytes(40 * VERITY_BLOCK + 100));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 * VERITY_BLOCK }), fc.integer({ min: 0, max: 256 }), (step, length) => {
      const salt = Buffer.alloc(length, 7);
      expect(treeOf(data, { salt, step })).toEqual(treeOf(data, { salt }));
    }),
    { numRuns: 30 },
  );
});

test("a superblock is read as it was written, and a damaged one is refused", () => {
  const { bytes, dataBlocks } = treeOf(Buffer.alloc(5 * VERITY_BLOCK));
  const read = readVeritySuperblock(bytes, "x");
  expect({ ...read, salt: Buffer.from(read.salt), uuid: Buffer.from(read.uuid) }).toEqual({
    dataBlocks,
    salt: SALT,
    uuid,
  });
  for (const at of [0, 8, 12, 32, 65, 69, 79, 81]) {
    const bad = Buffer.from(bytes);
    bad[at] = 0xff;
    expect(() => readVeritySuperblock(bad, "x"), `byte ${at}`).toThrow(
      expect.objectContaining({ code: "FORMAT_INVALID" }),
    );
  }
  expect(() => readVeritySuperblock(bytes.subarray(0, 90), "x")).toThrow(
    expect.objectContaining({ code: "FORMAT_INVALID" }),
  );
});

test("no data has no tree", () => {
  expect(() => treeOf(Buffer.alloc(0), { step: 1 })).toThrow("no data");
});
