import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BootwrightError } from "../base/errors.ts";
import { readLinuxImage } from "./linux-image.ts";

function bzImage(): Buffer {
  const out = Buffer.alloc(0x600);
  out.write("HdrS", 0x202);
  out.writeUInt16LE(0x020f, 0x206);
  out.writeUInt16LE(0x300, 0x20e);
  out.writeUInt16LE(0x7f, 0x236);
  out.writeUInt32LE(2047, 0x238);
  out.write("6.1.0-9-cloud-amd64 (builder@host) #1 SMP\0", 0x500);
  return out;
}

describe("readLinuxImage", () => {
  it("reads a bzImage's release, protocol and flags", () => {
    expect(readLinuxImage(bzImage())).toEqual({
      architecture: "amd64",
      release: "6.1.0-9-cloud-amd64",
      version: "6.1.0-9-cloud-amd64 (builder@host) #1 SMP",
      protocol: 0x020f,
      xloadflags: 0x7f,
      efiStub: false,
      cmdlineSize: 2047,
    });
  });

  it("knows an arm64 Image", () => {
    const image = Buffer.alloc(64);
    image.write("ARM\x64", 0x38, "latin1");
    expect(readLinuxImage(image)).toEqual({ architecture: "arm64", efiStub: false });
  });

  it("says what else it was given", () => {
    expect(() => readLinuxImage(Buffer.from("\x1f\x8b\x08\0", "latin1"))).toThrow(/gzip/);
    expect(() => readLinuxImage(Buffer.from("\x7fELF", "latin1"))).toThrow(/ELF/);
    expect(() => readLinuxImage(Buffer.from("text"))).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });

  it("throws coded errors for damage", () => {
    const image = bzImage();
    const survives = (bytes: Uint8Array) => {
      try {
        readLinuxImage(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(BootwrightError);
      }
    };
    for (let length = 0; length < image.length; length++) survives(image.subarray(0, length));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 700 }), survives));
    image.writeUInt16LE(0xffff, 0x20e);
    survives(image);
  });
});
