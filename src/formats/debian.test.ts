import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { BootwrightError } from "../base/errors.ts";
import { PackagesIndex, parseStanza, releaseFiles, stanzas } from "./deb822.ts";
import { parseDepends, satisfiesVersion } from "./debian-depends.ts";
import { compareDebianVersions } from "./debian-version.ts";

const PACKAGES = `Package: busybox-static
Version: 1:1.35.0-4
Provides: busybox, syslogd (= 1.0)
Description: Standalone rescue shell
 with a comprehensive command set
 .
 Package: not-a-package

Package: dash
Version: 0.5.12-2
Depends: debianutils (>= 5.6-0.1)

Package: dash
Version: 0.5.13-1
`;

describe("deb822", () => {
  it("parses fields, continuation lines and comments", () => {
    const stanza = parseStanza("# note\nPackage: x\nDescription: short\n long\n .\n more\nEmpty:\n");
    expect([...stanza]).toEqual([
      ["package", "x"],
      ["description", "short\nlong\n.\nmore"],
      ["empty", ""],
    ]);
  });

  it("iterates stanzas lazily", () => {
    expect([...stanzas(Buffer.from(`\n\n${PACKAGES}\n\n\n`))].map((stanza) => stanza.get("package"))).toEqual([
      "busybox-static",
      "dash",
      "dash",
    ]);
  });

  it("finds packages by name and by what they provide", () => {
    const index = new PackagesIndex(Buffer.from(PACKAGES));
    expect([...index.names()]).toEqual(["busybox-static", "dash"]);
    expect(index.find("dash").map((stanza) => stanza.get("version"))).toEqual(["0.5.12-2", "0.5.13-1"]);
    expect(index.find("busybox-static")[0]!.get("version")).toBe("1:1.35.0-4");
    expect(index.find("not-a-package")).toEqual([]);
    expect(index.findProviders("syslogd").map((stanza) => stanza.get("package"))).toEqual(["busybox-static"]);
    expect(new PackagesIndex(Buffer.alloc(0)).size).toBe(0);
  });

  it("indexes 40 MB", () => {
    const one = `Package: p%\nVersion: 1.0\nDescription: ${"x".repeat(600)}\n\n`;
    const bytes = Buffer.from(Array.from({ length: 60_000 }, (_, i) => one.replace("%", `${i}`)).join(""));
    const index = new PackagesIndex(bytes);
    expect(index.find("p59999")[0]!.get("version")).toBe("1.0");
    expect(index.size).toBe(60_000);
  });

  it("reads a Release file's hashes", () => {
    const hash = "a".repeat(64);
    const files = releaseFiles(parseStanza(`Suite: x\nSHA256:\n ${hash} 123 main/binary-amd64/Packages.xz\n`));
    expect(files.get("main/binary-amd64/Packages.xz")).toEqual({
      hash,
      size: 123,
      path: "main/binary-amd64/Packages.xz",
    });
    expect(() => releaseFiles(parseStanza("SHA256:\n nonsense\n"))).toThrow(BootwrightError);
  });

  it("throws coded errors for what is no control file", () => {
    for (const text of ["no colon", " continuation first", "A: 1\na: 2", ": x", "-a: x"])
      expect(() => parseStanza(text)).toThrow(expect.objectContaining({ code: "FORMAT_INVALID" }));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          for (const _ of stanzas(bytes));
          const index = new PackagesIndex(bytes);
          for (const name of index.names()) index.find(name);
        } catch (error) {
          expect(error).toBeInstanceOf(BootwrightError);
        }
      }),
    );
  });
});

describe("compareDebianVersions", () => {
  const ordered = [
    "1.0~~",
    "1.0~~a",
    "1.0~",
    "1.0",
    "1.0-1",
    "1.0-1+b1",
    "1.0a",
    "1.0+x",
    "1.0.1",
    "1.9",
    "1.10",
    "2",
    "1:0.1",
    "2:0",
  ];

  it("orders as Debian does", () => {
    for (let i = 0; i < ordered.length; i++)
      for (let j = 0; j < ordered.length; j++)
        expect([ordered[i], ordered[j], Math.sign(compareDebianVersions(ordered[i]!, ordered[j]!))]).toEqual([
          ordered[i],
          ordered[j],
          Math.sign(i - j),
        ]);
    expect(compareDebianVersions("1.0", "0:1.0")).toBe(0);
    expect(compareDebianVersions("1.0", "1.0-0")).toBe(0);
    expect(compareDebianVersions("1.00", "1.0")).toBe(0);
  });

  it("refuses what is no version", () => {
    for (const text of ["", "a b", "x:1", ":1", "1:", "1-", "1_0"])
      expect(() => compareDebianVersions(text, "1")).toThrow(BootwrightError);
  });

  it("agrees with dpkg", () => {
    const dpkg = needProgram("dpkg", "dpkg");
    const version = fc.stringMatching(/^(0:|1:)?[0-9][0-9a~+.]{0,4}(-[0-9a~+.]{1,3})?$/);
    fc.assert(
      fc.property(version, version, (a, b) => {
        const less = spawnSync(dpkg, ["--compare-versions", a, "lt", b]).status === 0;
        const greater = spawnSync(dpkg, ["--compare-versions", a, "gt", b]).status === 0;
        expect(Math.sign(compareDebianVersions(a, b))).toBe(less ? -1 : greater ? 1 : 0);
      }),
      { numRuns: 150 },
    );
  }, 30_000);
});

describe("parseDepends", () => {
  it("reads alternatives, versions and qualifiers", () => {
    expect(parseDepends("libc6 (>= 2.36), default-mta | mail-transport-agent, perl:any (<< 6),")).toEqual([
      [{ name: "libc6", version: { operator: ">=", version: "2.36" } }],
      [{ name: "default-mta" }, { name: "mail-transport-agent" }],
      [{ name: "perl", qualifier: "any", version: { operator: "<<", version: "6" } }],
    ]);
    expect(parseDepends("gcc (> 1) [amd64 !i386] <!nocheck>")).toEqual([
      [{ name: "gcc", version: { operator: ">=", version: "1" }, architectures: ["amd64", "!i386"] }],
    ]);
    expect(parseDepends("")).toEqual([]);
  });

  it("checks versions", () => {
    const [[relation]] = parseDepends("x (>= 1.0~)") as [[never]];
    expect(satisfiesVersion("1.0~rc1", relation)).toBe(true);
    expect(satisfiesVersion("1.0~~", relation)).toBe(false);
    expect(satisfiesVersion("1", {})).toBe(true);
  });

  it("refuses what does not parse, quickly", () => {
    for (const text of ["a (>= )", "a b", "(x)", "a (>= 1", `a${" ".repeat(100_000)}!`, "a ".repeat(50_000)])
      expect(() => parseDepends(text)).toThrow(BootwrightError);
  });
});
