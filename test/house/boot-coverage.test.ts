/** Every kind of image that a machine starts from is started by a test (design §7.1), and a new kind cannot be forgotten. */
import fs from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { isBootable } from "../../src/config/bootable.ts";
import { type ImageKind, imageSchema } from "../../src/image/schema.ts";

/** Kind → the test that boots it, and words of its that say how. */
const BOOTED: Readonly<Partial<Record<ImageKind, readonly [file: string, words: RegExp]>>> = {
  uki: ["test/e2e/boots.test.ts", /test\("one UKI"/],
  efi: ["test/e2e/boots.test.ts", /test\("a kernel alone, as BOOTX64\.EFI/],
  esp: ["test/e2e/boots.test.ts", /test\("an ESP image[\s\S]*test\("an ESP directory/],
  kernel: ["test/e2e/boots.test.ts", /test\("the files of a kernel directory"/],
  disk: ["test/image/disk.test.ts", /sectorSize: 512[\s\S]*sectorSize: 4096[\s\S]*sectors boots/],
  iso: ["test/image/iso.test.ts", /test\("an ISO boots from a CD and from a stick"/],
  microvm: ["test/image/microvm.test.ts", /\["ext4", "erofs", "squashfs"\]\)\("boots from %s/],
  pxe: ["test/image/netboot.test.ts", /test\("firmware boots it from the network"/],
};

const kinds = imageSchema.options.map((option) => option.shape.kind.value);

test("the list is whole", () => {
  expect(Object.keys(BOOTED).sort()).toEqual(kinds.filter(isBootable).sort());
});

test.each(Object.entries(BOOTED))("%s is booted", (_, [file, words]) => {
  expect(fs.readFileSync(path.join(import.meta.dirname, "../..", file), "utf8")).toMatch(words);
});
