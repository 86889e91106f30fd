import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { isBootwrightError } from "../base/errors.ts";
import { sourceOfBytes } from "./byte-source.ts";
import { type NewPartition, planGpt } from "./gpt.ts";
import { readGpt } from "./gpt-reader.ts";
import { partitionType } from "./partition-types.ts";
import { seededUuid } from "./uuid.ts";

const MIB = 1024 * 1024;
const partition = (name: string, size: number, type: string = partitionType("linux", "amd64")): NewPartition => ({
  type,
  id: seededUuid("seed", name),
  name,
  size,
});
const PARTITIONS = [
  partition("ESP", 40 * MIB, partitionType("esp", "amd64")),
  partition("wurzel-ä", 3 * MIB + 5, partitionType("root", "amd64")),
  partition("data", 1),
];

function imageOf(sectorSize: 512 | 4096, size?: number): Buffer {
  const gpt = planGpt(PARTITIONS, {
    diskId: seededUuid("seed", "disk"),
    sectorSize,
    ...(size !== undefined && { size }),
  });
  const image = Buffer.alloc(gpt.size);
  for (const { offset, bytes } of [...gpt.head, ...gpt.tail]) image.set(bytes, offset);
  return image;
}

describe.each([512, 4096] as const)("a GUID partition table with sectors of %i bytes", (sectorSize) => {
  it("reads back", () => {
    const gpt = readGpt(sourceOfBytes(imageOf(sectorSize)));
    expect(gpt).toMatchObject({ diskId: seededUuid("seed", "disk"), sectorSize, fromBackup: false });
    expect(gpt.partitions.map(({ name, offset, number }) => ({ name, offset, number }))).toEqual([
      { name: "ESP", offset: MIB, number: 1 },
      { name: "wurzel-ä", offset: 41 * MIB, number: 2 },
      { name: "data", offset: 45 * MIB, number: 3 },
    ]);
    expect(gpt.partitions[1]!.size % sectorSize).toBe(0);
    expect(gpt.partitions[1]!.size).toBeGreaterThanOrEqual(3 * MIB + 5);
  });

  it("reads its copy when the first table is damaged", () => {
    const image = imageOf(sectorSize);
    image[sectorSize + 60]! ^= 1;
    expect(readGpt(sourceOfBytes(image))).toMatchObject({ fromBackup: true, sectorSize });
  });

  it("is sound to fdisk", () => {
    const fdisk = needProgram("fdisk", "fdisk");
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), "gpt-"));
    try {
      const file = path.join(dir, "disk.img");
      fs.writeFileSync(file, imageOf(sectorSize, 128 * MIB));
      const options = ["--sector-size", String(sectorSize)];
      const check = spawnSync(fdisk, [...options, file], { encoding: "utf8", input: "v\nq\n" });
      expect(check.stderr + check.stdout).toContain("No errors detected.");
      const list = spawnSync(fdisk, [...options, "--list", "--output", "Type-UUID,UUID,Name", file], {
        encoding: "utf8",
        env: { LANG: "C.UTF-8" },
      });
      expect(list.stdout.toLowerCase()).toContain(`disk identifier: ${seededUuid("seed", "disk")}`);
      for (const { type, id, name } of PARTITIONS)
        expect(list.stdout.toLowerCase()).toMatch(new RegExp(`${type} +${id} +${name.toLowerCase()}`));
    } finally {
      fs.rmSync(dir, { recursive: true });
    }
  });
});

describe("limits", () => {
  const options = { diskId: seededUuid("s", "d"), sectorSize: 512 } as const;

  it("a disk that is too small says how much is needed", () => {
    expect(() => planGpt(PARTITIONS, { ...options, size: 10 * MIB })).toThrow(/need \d+ bytes, the disk has 10485760/);
  });

  it("names of more than 36 units, too many partitions and odd sizes are refused", () => {
    expect(() => planGpt([partition("x".repeat(37), MIB)], options)).toThrow("longer than 36");
    expect(() =>
      planGpt(
        Array.from({ length: 129 }, (_, i) => partition(`p${i}`, 1)),
        options,
      ),
    ).toThrow("129 partitions");
    expect(() => planGpt(PARTITIONS, { ...options, size: 128 * MIB + 1 })).toThrow("whole number");
  });

  it("damage is an error with a code, never a crash", () => {
    const small = planGpt([partition("a", 512)], options);
    const whole = Buffer.alloc(small.size);
    for (const { offset, bytes } of [...small.head, ...small.tail]) whole.set(bytes, offset);
    fc.assert(
      fc.property(fc.integer({ min: 512, max: 1200 }), fc.nat(255), fc.nat(3 * MIB), (at, value, length) => {
        const changed = Buffer.from(whole.subarray(0, length));
        if (at < changed.length) changed[at] = value;
        try {
          return readGpt(sourceOfBytes(changed)).partitions.length <= 1;
        } catch (error) {
          return isBootwrightError(error);
        }
      }),
      { numRuns: 300 },
    );
  });
});
