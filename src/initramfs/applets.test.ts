import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { BootwrightError } from "../base/errors.ts";
import { appletNames } from "./applets.ts";

const table = (...names: string[]) => Buffer.from(["[", "[[", ...names, ""].join("\0"), "latin1");
const usual = ["ash", "cat", "init", "mount", "sh"];

describe("appletNames", () => {
  it("reads the table of a real BusyBox, and finds what that BusyBox itself lists", () => {
    const names = appletNames(readFileSync(needProgram("busybox", "busybox-static")));
    expect(names).toEqual(expect.arrayContaining(["[", "[[", "ash", "init", "mount", "sh", "wget"]));
    expect(names.length).toBeGreaterThan(200);
    expect(names).toEqual([...new Set(names)]);
  });

  it("takes the table that has what an init needs, not another that begins alike", () => {
    const binary = Buffer.concat([table("cat"), Buffer.from("junk\0"), table(...usual), Buffer.from("Usage: x\0")]);
    expect(appletNames(binary)).toEqual(["[", "[[", ...usual]);
  });

  it("ends where names are no longer sorted, or no names", () => {
    for (const end of ["aaa\0", "Usage\0", "../../etc/passwd\0", "\0", `${"z".repeat(100)}\0`, "zcat"])
      expect(appletNames(Buffer.concat([table(...usual), Buffer.from(end)]))).toEqual(["[", "[[", ...usual]);
  });

  it.each<[what: string, binary: Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["no table", Buffer.from("#!/bin/sh\n")],
    ["a table without init", table("cat", "mount", "sh")],
  ])("%s is UNSUPPORTED, with what to do", (_, binary) => {
    expect(() => appletNames(binary)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", hint: expect.stringContaining("busybox-static") }),
    );
  });

  it("whatever the bytes, it gives plain names or a coded error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          const names = appletNames(Buffer.concat([table(...usual), bytes]));
          for (const name of names) expect(name).toMatch(/^(\[\[?|[a-z0-9][a-z0-9_.-]*)$/);
        } catch (error) {
          expect(error).toBeInstanceOf(BootwrightError);
        }
      }),
    );
    const many = Buffer.from("[\0[[\0".repeat(200_000), "latin1");
    expect(() => appletNames(many)).toThrow(BootwrightError);
  });
});
