import { expect, it } from "vitest";
import { sourceOfBytes } from "./byte-source.ts";
import { fixVhd } from "./vhd.ts";

const UUID = "01234567-89ab-8def-8123-456789abcdef";

function vhd(): Buffer {
  const file = Buffer.alloc(2048, 7);
  for (const at of [0, 1536]) {
    file.fill(0, at, at + 512);
    file.write("conectix", at, "latin1");
  }
  return file;
}

it("replaces time and identity in both footers, and their checksums", () => {
  const fixes = fixVhd(sourceOfBytes(vhd()), { uuid: UUID, epoch: 946_684_800 + 5 });
  expect(fixes.map(({ offset }) => offset)).toEqual([0, 1536]);
  for (const { bytes } of fixes) {
    const footer = Buffer.from(bytes);
    expect(footer.readUInt32BE(24)).toBe(5);
    expect(footer.toString("hex", 68, 84)).toBe(UUID.replaceAll("-", ""));
    const sum = footer.readUInt32BE(64);
    footer.writeUInt32BE(0, 64);
    expect(sum).toBe(~footer.reduce((all, byte) => all + byte, 0) >>> 0);
  }
  // A time before 2000 is the first that there is.
  expect(Buffer.from(fixVhd(sourceOfBytes(vhd()), { uuid: UUID, epoch: 0 })[0]!.bytes).readUInt32BE(24)).toBe(0);
});

it.each([
  ["an empty file", Buffer.alloc(0)],
  ["a short file", Buffer.from("conectix")],
  ["a file without the second footer", vhd().fill(0, 1536)],
])("refuses %s", (_, bytes) => {
  expect(() => fixVhd(sourceOfBytes(bytes), { uuid: UUID, epoch: 0 })).toThrow(
    expect.objectContaining({ code: "FORMAT_INVALID" }),
  );
});
