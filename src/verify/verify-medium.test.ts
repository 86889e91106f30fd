/** A whole disk of a few megabytes, and what becomes of the verdict when any byte of it is changed. */
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { testSigner } from "../../test/support/signing.ts";
import { tinyPe } from "../../test/support/tiny-pe.ts";
import { concatBytes } from "../base/bytes.ts";
import { isBootwrightError } from "../base/errors.ts";
import { attachSignatures, authenticodeDigest, signDigest } from "../formats/authenticode.ts";
import { type ByteSource, sourceOfBytes } from "../formats/byte-source.ts";
import { encodeFat } from "../formats/fat.ts";
import { planGpt } from "../formats/gpt.ts";
import { partitionType } from "../formats/partition-types.ts";
import { appendPeSections, PE_DATA } from "../formats/pe-writer.ts";
import { fillHoles } from "../formats/sparse-write.ts";
import { guidBytes, seededUuid } from "../formats/uuid.ts";
import { VerityHasher } from "../formats/verity.ts";
import { openMedium } from "./medium.ts";
import type { Policy } from "./policy.ts";
import { verifyMedium } from "./verify-medium.ts";

const ours = testSigner("ours");
const certificate = { name: "ours", certificate: ours.certificate };
const policy: Policy = {
  ...{ trust: [certificate], signers: [], revokedDigests: [], revoked: [], minimum: {} },
  require: { signatures: true, partitionTable: true, verity: "always", onlySigned: false },
};

let disk = Buffer.alloc(0);
/** Ranges in which every byte counts. */
let covered: readonly (readonly [start: number, end: number])[] = [];

beforeAll(async () => {
  const data = Buffer.alloc(5 * 4096, "the root file system ");
  const salt = Buffer.from("cafe", "hex");
  const hasher = new VerityHasher({ salt, uuid: guidBytes(seededUuid("seed", "verity")) });
  hasher.update(data);
  const tree = hasher.end();
  const target = `0 40 verity 1 PARTLABEL=root PARTLABEL=root 4096 4096 5 6 sha256 ${tree.rootHash} cafe`;
  const sections = { ".linux": "a kernel", ".cmdline": `quiet dm-mod.create="root,,0,ro,${target}"` };
  const program = await signedProgram(sections);
  const fat = encodeFat([{ type: "file", path: "EFI/BOOT/BOOTX64.EFI", size: program.length, read: () => [program] }], {
    seed: "seed",
    epoch: 1_700_000_000,
    label: "ESP",
  });
  const volume = Buffer.from(concatBytes([...fillHoles(fat.writes(), fat.size)]));
  const root = Buffer.concat([data, tree.bytes]);
  const one = (name: "esp" | "root", size: number) => ({
    ...{ name, size, type: partitionType(name, "amd64"), id: seededUuid("seed", name) },
  });
  const gpt = planGpt([one("esp", volume.length), one("root", root.length)], {
    ...{ diskId: seededUuid("seed", "disk"), sectorSize: 512 },
  });
  disk = Buffer.from(concatBytes([...fillHoles([...gpt.head, ...gpt.tail], gpt.size)]));
  const [esp, second] = gpt.partitions;
  volume.copy(disk, esp!.offset);
  root.copy(disk, second!.offset);
  const at = disk.indexOf(program);
  covered = [
    [512, 512 + 92],
    [1024, 1024 + 256],
    [disk.length - 512, disk.length - 512 + 92],
    // Not the checksum in its headers, which no tool keeps, nor the table of signatures behind it.
    [at + 512, at + 1024],
    [second!.offset, second!.offset + data.length],
    // Of the superblock what counts for the hashes, and the tree.
    [second!.offset + data.length + 72, second!.offset + data.length + 82],
    [second!.offset + data.length + 88, second!.offset + data.length + 90],
    [second!.offset + data.length + 4096, second!.offset + root.length],
  ];
});

async function signedProgram(texts: Readonly<Record<string, string>>): Promise<Buffer> {
  const sections = Object.entries(texts).map(([name, text]) => ({
    ...{ name, size: text.length, characteristics: PE_DATA, read: () => [Buffer.from(text)] },
  }));
  const bare = Buffer.from(concatBytes([...appendPeSections(sourceOfBytes(tinyPe()), { sections }).chunks()]));
  const signature = await signDigest(ours, authenticodeDigest(sourceOfBytes(bare)));
  return Buffer.from(concatBytes([...attachSignatures(sourceOfBytes(bare), { signatures: [signature] })]));
}

const verdict = async (source: ByteSource) => verifyMedium(openMedium(source, "disk.img"), policy);

/** The disk with one byte changed, without a copy of it. */
function withByte(at: number, value: number): ByteSource {
  const read = (offset: number, length: number) => {
    const bytes = Buffer.from(disk.subarray(offset, offset + length));
    if (at >= offset && at < offset + bytes.length) bytes[at - offset] = value;
    return bytes;
  };
  return { size: disk.length, read };
}

describe("a disk", () => {
  test("holds, and says how", async () => {
    const { programs, verity, violations } = await verdict(sourceOfBytes(disk));
    expect(violations).toEqual([]);
    expect(programs).toMatchObject([{ where: "esp:/EFI/BOOT/BOOTX64.EFI", kind: "uki", signedBy: ["ours"] }]);
    expect(verity).toMatchObject([{ where: "partition root", demandedBy: ["esp:/EFI/BOOT/BOOTX64.EFI"] }]);
  });

  test("with any byte changed that counts, it does not", async () => {
    const place = fc.oneof(...covered.map(([start, end]) => fc.integer({ min: start, max: end - 1 })));
    await fc.assert(
      fc.asyncProperty(place, fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const report = await verdict(withByte(at, disk[at]! ^ change)).catch((error: unknown) => {
          if (isBootwrightError(error)) return { violations: [error.code] };
          throw error;
        });
        expect(report.violations.length, `byte ${at}`).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });

  test("with any byte changed or its end cut off, it is judged or refused, never more", async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(disk.length - 1), fc.nat(255), fc.boolean(), async (at, value, cut) => {
        const source = cut ? sourceOfBytes(disk.subarray(0, at)) : withByte(at, value);
        await verdict(source).catch((error: unknown) => {
          if (!isBootwrightError(error)) throw error;
        });
      }),
      { numRuns: 200 },
    );
  });

  test("whose partitions overlap does not hold", async () => {
    const bad = Buffer.from(disk);
    // The second partition's first sector is set into the first one; both checksums of the table are wrong then, too.
    bad.writeBigUInt64LE(2048n, 1024 + 128 + 32);
    const { violations } = await verdict(sourceOfBytes(bad));
    expect(violations).toMatchObject([{ rule: "partition-table" }]);
  });
});
