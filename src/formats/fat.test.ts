import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { concatBytes } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { sourceOfBytes } from "./byte-source.ts";
import { encodeFat, type FatItem, type FatOptions } from "./fat.ts";
import { readFat } from "./fat-reader.ts";
import { fillHoles } from "./sparse-write.ts";

const EPOCH = 1_700_000_000;
const MIB = 1024 * 1024;
const file = (path: string, content: string | Uint8Array): FatItem => {
  const bytes = Buffer.from(content);
  return { type: "file", path, size: bytes.length, read: () => [bytes] };
};
const encode = (items: FatItem[], options: Partial<FatOptions> = {}) =>
  encodeFat(items, { seed: "test", epoch: EPOCH, label: "ESP", ...options });
const bytesOf = (items: FatItem[], options: Partial<FatOptions> = {}) => {
  const image = encode(items, options);
  return concatBytes([...fillHoles(image.writes(), image.size)]);
};
const list = (bytes: Uint8Array) => readFat(sourceOfBytes(bytes)).entries.map((entry) => entry.path);

const sample: FatItem[] = [
  file("EFI/BOOT/BOOTX64.EFI", Buffer.alloc(70_000, 1)),
  file("EFI/Linux/a long name with spaces-1.2.3.efi", "one"),
  file("EFI/Linux/a long name with spaces-1.2.4.efi", "two"),
  file("loader/entries/größe 日本.conf", "x".repeat(5000)),
  file("empty.txt", ""),
  { type: "directory", path: "empty-directory" },
];

describe("encodeFat", () => {
  it.each([
    { size: undefined, sectorSize: 512, type: 16 },
    { size: 33 * MIB, sectorSize: 512, type: 16 },
    { size: 64 * MIB, sectorSize: 512, type: 32 },
    { size: 300 * MIB, sectorSize: 512, type: 32 },
    { size: undefined, sectorSize: 4096, type: 16 },
    { size: 300 * MIB, sectorSize: 4096, type: 32 },
  ] as const)("gives back its files: $type bits, $size bytes, sectors of $sectorSize", ({ size, sectorSize, type }) => {
    const bytes = bytesOf(sample, { sectorSize, ...(size === undefined ? {} : { size }) });
    const volume = readFat(sourceOfBytes(bytes));
    expect(volume).toMatchObject({ type, sectorSize, label: "ESP" });
    const files = volume.entries.filter((entry) => entry.type === "file");
    expect(files.map((entry) => entry.path).sort()).toEqual(
      sample
        .filter((item) => item.type === "file")
        .map((item) => item.path)
        .sort(),
    );
    for (const item of sample) {
      if (item.type !== "file") continue;
      const entry = files.find((candidate) => candidate.path === item.path)!;
      const content = concatBytes([...item.read()]);
      expect(concatBytes([...volume.read(entry)]).equals(content)).toBe(true);
      const opened = volume.open(entry);
      for (const [at, length] of [
        [0, content.length],
        [content.length >> 1, 5000],
        [10, 3],
      ] as const)
        expect(Buffer.from(opened.read(at, length)).equals(content.subarray(at, at + length))).toBe(true);
    }
  });

  it("gives the same bytes whatever the order, and another id for another seed", () => {
    expect(bytesOf(sample).equals(bytesOf([...sample].reverse()))).toBe(true);
    expect(readFat(sourceOfBytes(bytesOf(sample, { seed: "other" }))).volumeId).not.toBe(
      readFat(sourceOfBytes(bytesOf(sample))).volumeId,
    );
  });

  it("chooses a size that fits, exactly filled clusters included", () => {
    const image = encode([file("a", Buffer.alloc(100 * MIB))]);
    expect(image.type).toBe(32);
    expect(image.size).toBeLessThan(103 * MIB);
    expect(encode([], { free: 50 * MIB }).size).toBeGreaterThan(50 * MIB);
  });

  it("leaves free space as holes", () => {
    const image = encode(sample, { size: 300 * MIB });
    const written = [...image.writes()].reduce((sum, write) => sum + write.bytes.length, 0);
    expect(written).toBeLessThan(MIB);
  });

  const refuses = (items: FatItem[], code: string, options: Partial<FatOptions> = {}) =>
    expect(() => encode(items, options)).toThrow(expect.objectContaining({ code }));

  it("says what does not fit", () => {
    refuses([{ type: "file", path: "big", size: 2 ** 32, read: () => [] }], "LIMIT_EXCEEDED");
    refuses([file("n".repeat(256), "")], "PATH_UNSAFE");
    refuses([file("a".repeat(200), "")].concat(file("b", Buffer.alloc(40 * MIB))), "LIMIT_EXCEEDED", {
      size: 34 * MIB,
    });
    refuses(
      Array.from({ length: 600 }, (_, i) => file(`FILE${i}`, "")),
      "LIMIT_EXCEEDED",
      { size: 16 * MIB },
    );
    refuses([], "LIMIT_EXCEEDED", { size: MIB });
    refuses([], "LIMIT_EXCEEDED", { epoch: 0 });
    refuses([], "LIMIT_EXCEEDED", { label: "TWELVE CHARS" });
  });

  it("says which names FAT cannot hold", () => {
    for (const path of ["a:b", "what?", "tail.", "tail ", "tab\tbed", 'quo"te', "back\\slash"])
      refuses([file(path, "")], "UNSUPPORTED");
    refuses([file("../x", "")], "PATH_UNSAFE");
    refuses([file("Readme", ""), file("README", "")], "TREE_CONFLICT");
    refuses([file("a", ""), file("a", "")], "TREE_CONFLICT");
  });

  it("notices a content of another size", () => {
    const image = encode([{ type: "file", path: "a", size: 5, read: () => [Buffer.alloc(4)] }]);
    expect(() => [...image.writes()]).toThrow("wrote 4 of 5 bytes");
  });

  it("makes ten thousand like names in good time", () => {
    const items = Array.from({ length: 10_000 }, (_, i) => file(`d/a-long-common-prefix-${i}.bin`, "x"));
    expect(list(bytesOf(items))).toHaveLength(10_001);
  });
});

describe("readFat on hostile input", () => {
  const bytes = bytesOf(sample);
  const survives = (input: Uint8Array) => {
    try {
      const volume = readFat(sourceOfBytes(input));
      for (const entry of volume.entries) if (entry.type === "file") for (const _ of volume.read(entry));
    } catch (error) {
      expect(error).toBeInstanceOf(BootwrightError);
    }
  };

  it("survives truncation", () => {
    for (let length = 0; length < 600; length++) survives(bytes.subarray(0, length));
    for (let length = 1024; length < bytes.length; length += 9973) survives(bytes.subarray(0, length));
  });

  it("survives random bytes, and damage to boot sector, table and directories", () => {
    fc.assert(fc.property(fc.uint8Array({ minLength: 512, maxLength: 2048 }), survives));
    const spots = fc.oneof(
      fc.nat(64),
      fc.integer({ min: 2048, max: 2048 + 1024 }),
      fc.integer({ min: 2048, max: 60_000 }),
    );
    const copy = Buffer.from(bytes);
    fc.assert(
      fc.property(spots, fc.nat(255), (at, value) => {
        const before = copy[at]!;
        copy[at] = value;
        survives(copy);
        copy[at] = before;
      }),
      { numRuns: 300 },
    );
  });

  it("finds a chain that loops", () => {
    const copy = Buffer.from(bytesOf([file("a", Buffer.alloc(2000))]));
    copy.writeUInt16LE(2, 4 * 512 + 3 * 2); // Cluster 3 → 2.
    const volume = readFat(sourceOfBytes(copy));
    const entry = { ...volume.entries[0]!, size: 0xffff_ffff };
    expect(() => {
      for (const _ of volume.read(entry));
    }).toThrow(/a chain that ends/);
  });
});

describe("other programs read the volume", () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "fat-"));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  const write = (items: FatItem[], options: Partial<FatOptions>): string => {
    const path = join(dir, "fat.img");
    const image = encode(items, options);
    const fd = openSync(path, "w");
    for (const { offset, bytes } of image.writes()) writeSync(fd, bytes, 0, bytes.length, offset);
    ftruncateSync(fd, image.size);
    closeSync(fd);
    return path;
  };

  it.each([
    {},
    { size: 33 * MIB },
    { size: 64 * MIB },
    { size: 300 * MIB },
    { size: 9000 * MIB },
    { sectorSize: 4096 as const },
    { sectorSize: 4096 as const, size: 300 * MIB },
  ])("fsck.fat finds nothing to mend, mtools reads it: %o", (options) => {
    const fsck = needProgram("fsck.fat", "dosfstools");
    const mdir = needProgram("mdir", "mtools");
    const mtype = needProgram("mtype", "mtools");
    const many = Array.from({ length: 300 }, (_, i) => file(`many/a long prefix ${i}`, `${i}`));
    const path = write([...sample, ...many], options);
    const report = execFileSync(fsck, ["-n", "-v", path], { encoding: "utf8" });
    expect(report).not.toMatch(/differences|wrong|Reclaim|Orphan|Dirty/i);
    const env = { ...process.env, LC_ALL: "C.UTF-8" };
    const listing = execFileSync(mdir, ["-i", path, "-/", "-b", "::"], { encoding: "utf8", env });
    expect(listing).toContain("::/EFI/Linux/a long name with spaces-1.2.4.efi");
    expect(listing).toContain("::/many/a long prefix 299");
    expect(execFileSync(mtype, ["-i", path, "::/many/a long prefix 77"], { encoding: "utf8" })).toBe("77");
  });

  it("reads what mtools writes", () => {
    const mkfs = needProgram("mkfs.fat", "dosfstools");
    const mcopy = needProgram("mcopy", "mtools");
    const path = join(dir, "theirs.img");
    for (const [bits, megabytes] of [
      ["12", 4],
      ["16", 32],
      ["32", 64],
    ] as const) {
      rmSync(path, { force: true });
      execFileSync(mkfs, ["-F", bits, "-n", "THEIRS", "-C", path, String(megabytes * 1024)]);
      execFileSync(mcopy, ["-i", path, "package.json", "::/a rather long name.json"]);
      const volume = readFat(sourceOfBytes(execFileSync("/bin/cat", [path], { maxBuffer: 100 * MIB })));
      expect(volume).toMatchObject({ type: Number(bits), label: "THEIRS" });
      expect(concatBytes([...volume.read(volume.entries[0]!)]).toString()).toContain('"name": "bootwright"');
    }
  });
});
