import { describe, expect, it } from "vitest";
import { tinyPe } from "../../test/support/tiny-pe.ts";
import { concatBytes } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { sourceOfBytes } from "../formats/byte-source.ts";
import { fillHoles } from "../formats/sparse-write.ts";
import { inspectUki } from "./inspect-uki.ts";
import { assembleUki, type UkiOptions } from "./uki.ts";

const SBAT = "sbat,1,SBAT Version,sbat,1,https://example.org/SBAT.md\nsystemd,1,The systemd Developers,systemd,252,-\n";
const stub = tinyPe({ sbat: SBAT });
const linux = tinyPe({ sizeOfImage: 40_000 });
const initrd = Buffer.alloc(3_000_000, 5);

const assemble = (more: Partial<UkiOptions> = {}) => {
  const uki = assembleUki({
    stub,
    linux,
    sections: {
      ".initrd": { size: initrd.length, read: () => [initrd.subarray(0, 1000), initrd.subarray(1000)] },
      ".cmdline": "console=ttyS0",
      ".osrel": "ID=test\n",
      ".splash": "",
    },
    ...more,
  });
  const bytes = concatBytes([...uki.chunks()]);
  expect(bytes.length).toBe(uki.size);
  return inspectUki(sourceOfBytes(bytes));
};

describe("assembleUki", () => {
  it("by reference is the same file", () => {
    const content = { hash: digestOf(initrd).hash, size: initrd.length };
    const uki = assembleUki({
      stub,
      linux,
      sections: { ".initrd": { size: initrd.length, read: () => [initrd], content }, ".cmdline": "console=ttyS0" },
    });
    const referred: number[] = [];
    const writes = [...uki.pieces(1_000_000)].map((piece) => {
      if ("bytes" in piece) return piece;
      referred.push(piece.length);
      expect(piece.content).toBe(content);
      return { offset: piece.offset, bytes: initrd.subarray(piece.from, piece.from + piece.length) };
    });
    expect(referred).toEqual([initrd.length]);
    expect(concatBytes([...fillHoles(writes, uki.size)]).equals(concatBytes([...uki.chunks()]))).toBe(true);
  });

  it("orders the sections, kernel last, empty ones left out", () => {
    expect(assemble().sections.map((section) => section.name)).toEqual([
      ".text",
      ".osrel",
      ".cmdline",
      ".initrd",
      ".sbat",
      ".linux",
    ]);
  });

  it("carries each content unchanged", () => {
    const byName = new Map(assemble().sections.map((section) => [section.name, section]));
    expect(byName.get(".initrd")!.digest).toEqual(digestOf(initrd));
    expect(byName.get(".linux")!.digest).toEqual(digestOf(linux));
    expect(byName.get(".linux")!.virtualSize).toBe(40_000);
    expect(byName.get(".cmdline")!.text).toBe("console=ttyS0");
  });

  it("merges SBAT: one header, the stub's lines, then the default or the given ones", () => {
    const sbat = (inspection: ReturnType<typeof assemble>) =>
      inspection.sections
        .find((section) => section.name === ".sbat")!
        .text!.trimEnd()
        .split("\n")
        .map((line) => line.split(",")[0]);
    expect(sbat(assemble())).toEqual(["sbat", "systemd", "uki"]);
    const given = `${SBAT}mine,1,Me,mine,1,-\n`;
    expect(sbat(assemble({ sections: { ".sbat": given } }))).toEqual(["sbat", "systemd", "mine"]);
    const kernel = tinyPe({ sbat: "sbat,1,x\nlinux,1,K,linux,6,-\n" });
    expect(sbat(assemble({ linux: kernel }))).toEqual(["sbat", "systemd", "linux", "uki"]);
  });

  it("gives the same bytes each time", () => {
    const uki = assembleUki({ stub, linux, sections: { ".cmdline": "x" } });
    expect(concatBytes([...uki.chunks()]).equals(concatBytes([...uki.chunks()]))).toBe(true);
  });

  it("refuses stub and kernel of different machines, and stubs that are none", () => {
    expect(() => assemble({ linux: tinyPe({ machine: 0xaa64 }) })).toThrow(
      "the EFI stub is for amd64, the kernel for arm64",
    );
    expect(() => assemble({ stub: Buffer.from("text") })).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
  });
});
