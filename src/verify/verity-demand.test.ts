import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isBootwrightError } from "../base/errors.ts";
import { sourceOfBytes } from "../formats/byte-source.ts";
import { parseVerityCmdline, parseVerityTable, readInitramfsTable } from "./verity-demand.ts";

const HASH = "ab".repeat(32);
const target = `0 800 verity 1 PARTLABEL=root PARTLABEL=root 4096 4096 100 101 sha256 ${HASH} cafe 1 panic_on_corruption`;

/** A member of a newc archive. */
function member(name: string, content: string): Buffer {
  const pad = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
  const fields = [1, 0o100644, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = `070701${fields.map((value) => value.toString(16).padStart(8, "0")).join("")}${name}\0`;
  return Buffer.concat([pad(Buffer.from(head)), pad(Buffer.from(content))]);
}

const archive = (...members: Buffer[]) => Buffer.concat([...members, member("TRAILER!!!", ""), Buffer.alloc(36)]);
const table = (bytes: Uint8Array) => readInitramfsTable(sourceOfBytes(bytes), "initrd");

describe("the command line", () => {
  test("names the device, the root hash, and where the superblock lies: before the tree", () => {
    expect(parseVerityCmdline(`quiet dm-mod.create="root,,0,ro,${target}" root=/dev/dm-0`, "uki")).toEqual([
      { name: "root", device: "PARTLABEL=root", rootHash: HASH, hashOffset: 409_600, salt: "cafe", dataBlocks: 100 },
    ]);
  });

  test("without verity demands nothing", () => {
    expect(parseVerityCmdline("quiet", "uki")).toEqual([]);
    expect(parseVerityCmdline('dm-mod.create="x,,0,ro,0 8 linear /dev/vda 0"', "uki")).toEqual([]);
  });

  test.each([
    ["another digest", target.replace("sha256", "sha512"), "UNSUPPORTED"],
    ["blocks of another size", target.replace("4096", "512"), "UNSUPPORTED"],
    ["a tree within the data", target.replace("101", "50"), "UNSUPPORTED"],
    ["no root hash", target.replace(HASH, "zz"), "FORMAT_INVALID"],
  ])("with %s is refused", (_, words, code) => {
    expect(() => parseVerityCmdline(`dm-mod.create="r,,0,ro,${words}"`, "uki")).toThrow(
      expect.objectContaining({ code }),
    );
  });
});

describe("the table of an initramfs", () => {
  const line = `host PARTLABEL=host 4096 ${HASH} /\n`;

  test("is found in plain and in compressed segments; what comes later counts", async () => {
    const plain = archive(member("a", "x"), member("etc/bootwright/verity", "old\n"));
    const later = zstdCompressSync(archive(member("./etc/bootwright/verity", line), member("b", "y".repeat(5000))));
    expect(await table(plain)).toBe("old\n");
    expect(await table(later)).toBe(line);
    expect(await table(Buffer.concat([plain, later]))).toBe(line);
    expect(await table(Buffer.concat([plain, plain, later]))).toBe(line);
    for (const zeros of [1, 2, 3]) expect(await table(Buffer.concat([plain, later, Buffer.alloc(zeros)]))).toBe(line);
    expect(await table(archive(member("a", "x")))).toBeUndefined();
  });

  test("is parsed, and a line that is none is refused", () => {
    expect(parseVerityTable(line, "uki")).toMatchObject([{ name: "host", hashOffset: 4096, rootHash: HASH }]);
    expect(() => parseVerityTable("host PARTLABEL=host 4096 abc /\n", "uki")).toThrow(/names no image/);
  });

  test("too large a table is refused before it is read", async () => {
    await expect(table(archive(member("etc/bootwright/verity", "x".repeat(70_000))))).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
    });
  });

  test("damaged anywhere, it is read, or refused with a code", async () => {
    const good = Buffer.concat([
      archive(member("etc/bootwright/verity", line)),
      zstdCompressSync(archive(member("b", "y"))),
    ]);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(good.length - 1),
        fc.integer({ min: 0, max: 255 }),
        fc.boolean(),
        async (at, byte, cut) => {
          const bad = Buffer.from(cut ? good.subarray(0, at) : good);
          if (!cut) bad[at] = byte;
          await table(bad).catch((error: unknown) => expect(isBootwrightError(error), String(error)).toBe(true));
        },
      ),
      { numRuns: 300 },
    );
  });
});
