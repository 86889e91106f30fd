import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { tinyElf } from "../../test/support/tiny-elf.ts";
import { BootwrightError } from "../base/errors.ts";
import { elfSectionBytes, findElfSection, readElf } from "./elf.ts";
import { readElfDynamic } from "./elf-dynamic.ts";
import { parseModinfo } from "./modinfo.ts";

const MODINFO = Buffer.from(
  [
    "license=GPL",
    "description=A driver",
    "alias=pci:v00001AF4d*",
    "alias=virtio-net",
    "firmware=a.bin",
    "firmware=b/c.bin",
    "",
    "depends=virtio,net_failover",
    "softdep=pre: crc32c post: late",
    "softdep=pre: two more",
    "name=virtio_net",
    "vermagic=6.1.0 SMP mod_unload",
    "parm=x:=odd=",
  ].join("\0") + "\0",
);

describe("readElf", () => {
  it.each([
    [32, true],
    [32, false],
    [64, true],
    [64, false],
  ] as const)("finds sections: %i bits, little endian %s", (bits, littleEndian) => {
    const elf = readElf(
      tinyElf({ bits, littleEndian, sections: { ".text": Buffer.from("code"), ".modinfo": MODINFO } }),
    );
    expect(elf).toMatchObject({ bits, littleEndian, type: 1, machine: 62, segments: [] });
    expect(elf.sections.map((section) => section.name)).toEqual(["", ".text", ".modinfo", ".shstrtab"]);
    expect(Buffer.from(elfSectionBytes(elf, findElfSection(elf, ".text")!)).toString()).toBe("code");
    expect(findElfSection(elf, ".none")).toBeUndefined();
  });

  it("throws coded errors for what is cut, changed or random", () => {
    const bytes = tinyElf({ sections: { ".modinfo": MODINFO } });
    const survives = (input: Uint8Array) => {
      try {
        const elf = readElf(input);
        readElfDynamic(elf);
        for (const section of elf.sections) elfSectionBytes(elf, section);
        parseModinfo(input);
      } catch (error) {
        expect(error).toBeInstanceOf(BootwrightError);
      }
    };
    for (let length = 0; length < bytes.length; length++) survives(bytes.subarray(0, length));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (tail) => survives(Buffer.concat([bytes.subarray(0, 6), tail]))),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { maxLength: 6 }), (changes) => {
        const copy = Buffer.from(bytes);
        for (const [at, value] of changes) copy[at] = value;
        survives(copy);
      }),
      { numRuns: 500 },
    );
    const program = readFileSync(process.execPath).subarray(0, 4096);
    survives(program);
  });
});

describe("parseModinfo", () => {
  it("reads what the module says", () => {
    expect(parseModinfo(tinyElf({ sections: { ".modinfo": MODINFO } }))).toMatchObject({
      name: "virtio_net",
      depends: ["virtio", "net_failover"],
      softdepPre: ["crc32c", "two", "more"],
      softdepPost: ["late"],
      firmware: ["a.bin", "b/c.bin"],
      alias: ["pci:v00001AF4d*", "virtio-net"],
      vermagic: "6.1.0 SMP mod_unload",
      license: "GPL",
    });
  });

  it("says which file is no module", () => {
    expect(() => parseModinfo(tinyElf({ sections: {} }), "x.ko")).toThrow(/x\.ko: .*\.modinfo/);
    expect(() => parseModinfo(Buffer.from("text"), "x.ko")).toThrow(/x\.ko: offset 0/);
  });
});

describe("readElfDynamic", () => {
  const tar = () => needProgram("tar", "tar");

  it("agrees with readelf on a program of this host", () => {
    const readelf = needProgram("readelf", "binutils");
    const text = execFileSync(readelf, ["-dlW", tar()], { encoding: "utf8" });
    const dynamic = readElfDynamic(readElf(readFileSync(tar())));
    expect(dynamic.needed).toEqual([...text.matchAll(/NEEDED.*\[(.*)\]/g)].map((match) => match[1]));
    expect(dynamic.interpreter).toBe(/interpreter: (.*)\]/.exec(text)?.[1]);
  });

  it("agrees with objcopy on sections", () => {
    const objcopy = needProgram("objcopy", "binutils");
    const dir = mkdtempSync(join(tmpdir(), "elf-"));
    try {
      writeFileSync(join(dir, "modinfo"), MODINFO);
      execFileSync(objcopy, ["--add-section", `.modinfo=${join(dir, "modinfo")}`, tar(), join(dir, "out")]);
      expect(parseModinfo(readFileSync(join(dir, "out"))).name).toBe("virtio_net");
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});
