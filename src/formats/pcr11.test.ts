import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { tinyPe } from "../../test/support/tiny-pe.ts";
import { concatBytes } from "../base/bytes.ts";
import { sourceOfBytes } from "./byte-source.ts";
import { predictPcr11 } from "./pcr11.ts";
import { appendPeSections, PE_DATA } from "./pe-writer.ts";

type Section = readonly [name: string, content: string, virtualSize?: number];

const MARK = (version: string): Section => [".sdmagic", `#### LoaderInfo: systemd-stub ${version} ####\0`];

function image(...sections: readonly Section[]) {
  const fresh = sections.map(([name, text, virtualSize]) => {
    const content = Buffer.from(text);
    const size = { size: content.length, ...(virtualSize !== undefined && { virtualSize }) };
    return { name, ...size, characteristics: PE_DATA, read: () => [content] };
  });
  return sourceOfBytes(
    Buffer.from(concatBytes([...appendPeSections(sourceOfBytes(tinyPe()), { sections: fresh }).chunks()])),
  );
}

const sha = (...parts: (string | Buffer)[]) =>
  parts.reduce((hash, one) => hash.update(one), createHash("sha256")).digest();
const extended = (...events: string[]) =>
  events.reduce((value, event) => sha(value, sha(event)), Buffer.alloc(32)).toString("hex");

describe("PCR 11", () => {
  test("is extended by name and content of each section, in an order that is not the file's, then by the phases", () => {
    const [start, initrd, ...later] = predictPcr11(
      image(MARK("252.39-1"), [".cmdline", "quiet"], [".linux", "kernel"]),
    );
    const events = [".linux\0", "kernel", ".cmdline\0", "quiet"];
    expect(start).toEqual({ phase: "", value: extended(...events) });
    expect(initrd).toEqual({ phase: "enter-initrd", value: extended(...events, "enter-initrd") });
    expect(later.at(-1)).toEqual({
      phase: "enter-initrd:leave-initrd:sysinit:ready",
      value: extended(...events, "enter-initrd", "leave-initrd", "sysinit", "ready"),
    });
  });

  test("covers what a section has in memory, zeros included", () => {
    const [start] = predictPcr11(image(MARK("257"), [".linux", "kernel", 100_000]));
    expect(start!.value).toBe(extended(".linux\0", `kernel${"\0".repeat(99_994)}`));
  });

  test("never covers the signatures over it", () => {
    const plain = predictPcr11(image(MARK("257"), [".linux", "kernel"]));
    expect(predictPcr11(image(MARK("257"), [".linux", "kernel"], [".pcrsig", "{}"]))).toEqual(plain);
  });

  test("covers what the stub of that release measures", () => {
    const sections: Section[] = [
      [".linux", "kernel"],
      [".uname", "6.1"],
      [".sbat", "sbat,1"],
      [".ucode", "u"],
    ];
    const start = (version: string) => predictPcr11(image(MARK(version), ...sections))[0]!.value;
    expect(start("252.1")).toBe(extended(".linux\0", "kernel"));
    expect(start("254")).toBe(extended(".linux\0", "kernel", ".uname\0", "6.1", ".sbat\0", "sbat,1"));
    expect(start("256~rc1")).toBe(
      extended(".linux\0", "kernel", ".ucode\0", "u", ".uname\0", "6.1", ".sbat\0", "sbat,1"),
    );
  });

  test.each([
    ["no stub", image([".linux", "kernel"])],
    ["an old one", image(MARK("251"), [".linux", "kernel"])],
    ["one between", image(MARK("253.1"), [".linux", "kernel"])],
    ["profiles", image(MARK("257"), [".linux", "kernel"], [".profile", "ID=a"])],
  ])("is not known with %s", (_, source) => {
    expect(() => predictPcr11(source)).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
  });
});
