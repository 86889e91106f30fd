import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { tinyPe } from "../../test/support/tiny-pe.ts";
import { concatBytes } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import { sourceOfBytes } from "./byte-source.ts";
import { findPeSection, isPe, readPe, readPeSection, readPeText } from "./pe.ts";
import { appendPeSections, type NewSection } from "./pe-writer.ts";

const section = (name: string, content: string | Uint8Array, more: Partial<NewSection> = {}): NewSection => {
  const bytes = Buffer.from(content);
  return { name, size: bytes.length, read: () => [bytes], ...more };
};
const append = (stub: Uint8Array, sections: NewSection[], drop: string[] = []) => {
  const result = appendPeSections(sourceOfBytes(stub), { sections, drop });
  const bytes = concatBytes([...result.chunks()]);
  expect(bytes.length).toBe(result.size);
  return bytes;
};

describe("readPe", () => {
  it("reads headers and sections", () => {
    const source = sourceOfBytes(tinyPe({ sbat: "sbat,1\n" }));
    const pe = readPe(source);
    expect(pe).toMatchObject({ machine: 0x8664, pe32Plus: true, sectionAlignment: 4096, subsystem: 10 });
    expect(pe.sections.map((s) => s.name)).toEqual([".text", ".sbat"]);
    expect(readPeText(source, findPeSection(pe, ".sbat")!)).toBe("sbat,1\n");
    expect(isPe(source)).toBe(true);
    expect(isPe(sourceOfBytes(Buffer.from("MZ")))).toBe(false);
  });

  it("throws coded errors for what is cut, random or changed", () => {
    const bytes = tinyPe({ sbat: "x" });
    const survives = (input: Uint8Array) => {
      try {
        const source = sourceOfBytes(input);
        isPe(source);
        for (const s of readPe(source).sections) for (const _ of readPeSection(source, s));
      } catch (error) {
        expect(error).toBeInstanceOf(BootwrightError);
      }
    };
    for (let length = 0; length < bytes.length; length++) survives(bytes.subarray(0, length));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), survives));
    fc.assert(
      fc.property(fc.nat(0x1c0), fc.nat(255), (at, value) => {
        const copy = Buffer.from(bytes);
        copy[at] = value;
        survives(copy);
      }),
      { numRuns: 500 },
    );
  });
});

describe("appendPeSections", () => {
  it("places sections without gaps and clears what differs between builds", () => {
    const bytes = append(tinyPe(), [section(".a", "A"), section(".big", Buffer.alloc(10_000, 66)), section(".c", "C")]);
    const source = sourceOfBytes(bytes);
    const pe = readPe(source);
    let end = 0;
    for (const s of pe.sections) {
      if (end > 0) expect(s.virtualAddress).toBe(Math.ceil(end / 4096) * 4096);
      expect(s.rawOffset % 512).toBe(0);
      end = s.virtualAddress + s.virtualSize;
    }
    expect(pe.sizeOfImage).toBe(Math.ceil(end / 4096) * 4096);
    expect(readPeText(source, findPeSection(pe, ".c")!)).toBe("C");
    expect(readPeText(source, findPeSection(pe, ".text")!)).toBe("code");
    expect(bytes.readUInt32LE(pe.coffOffset + 4)).toBe(0);
    expect(bytes.readUInt32LE(pe.optionalOffset + 64)).toBe(0);
    expect(bytes.readUInt32LE(pe.optionalOffset + 8)).toBe(512 + 10_240 + 512);
  });

  it("makes room in the header by moving file offsets", () => {
    const many = Array.from({ length: 20 }, (_, i) => section(`.s${i}`, `${i}`));
    const source = sourceOfBytes(append(tinyPe({ sizeOfHeaders: 512 }), many));
    const pe = readPe(source);
    expect(pe.sizeOfHeaders).toBeGreaterThan(512);
    expect(readPeText(source, findPeSection(pe, ".text")!)).toBe("code");
    expect(readPeText(source, findPeSection(pe, ".s19")!)).toBe("19");
  });

  it("keeps a larger size in memory", () => {
    const pe = readPe(sourceOfBytes(append(tinyPe(), [section(".linux", "k", { virtualSize: 50_000 })])));
    expect(pe.sections.at(-1)).toMatchObject({ virtualSize: 50_000, rawSize: 512 });
  });

  it("refuses what it cannot do right", () => {
    const unsupported = expect.objectContaining({ code: "UNSUPPORTED" });
    const many = (count: number) => Array.from({ length: count }, () => section(".x", "x"));
    expect(() => append(tinyPe({ signed: true }), many(1))).toThrow(unsupported);
    expect(() => append(tinyPe({ sizeOfHeaders: 512, debug: true }), many(20))).toThrow(unsupported);
    expect(() => append(tinyPe(), many(100))).toThrow(unsupported);
    expect(() => append(tinyPe(), [{ name: ".x", size: 2 ** 32, read: () => [] }])).toThrow(
      expect.objectContaining({ code: "LIMIT_EXCEEDED" }),
    );
    expect(() => append(tinyPe(), [{ name: ".x", size: 5, read: () => [Buffer.alloc(4)] }])).toThrow("wrote 4 of 5");
    expect(() => append(tinyPe(), [section(".toolongname", "x")])).toThrow("not a PE section name");
  });

  it("is read by objdump", () => {
    const objdump = needProgram("objdump", "binutils");
    const dir = mkdtempSync(join(tmpdir(), "pe-"));
    try {
      writeFileSync(
        join(dir, "x.efi"),
        append(tinyPe({ sbat: "x" }), [section(".initrd", "data"), section(".sbat", "y")], [".sbat"]),
      );
      const text = execFileSync(objdump, ["-h", join(dir, "x.efi")], { encoding: "utf8" });
      expect(text).toContain("pei-x86-64");
      expect([...text.matchAll(/^ +\d+ (\S+) +([0-9a-f]+)/gm)].map((m) => [m[1], Number.parseInt(m[2]!, 16)])).toEqual([
        [".text", 4],
        [".initrd", 4],
        [".sbat", 1],
      ]);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
