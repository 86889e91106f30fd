import { describe, expect, it } from "vitest";
import { tinyPe } from "../../test/support/tiny-pe.ts";
import { concatBytes } from "../base/bytes.ts";
import { sourceOfBytes } from "../formats/byte-source.ts";
import { assembleAddon, requireAddons } from "./addon.ts";
import { inspectUki } from "./inspect-uki.ts";

const empty = sourceOfBytes(tinyPe({ sbat: "sbat,1,SBAT Version,sbat,1,x\nsystemd-addon,1,S,systemd,257,-\n" }));

describe("assembleAddon", () => {
  it("has a command line, no kernel, and a generation of its own", () => {
    const addon = concatBytes([...assembleAddon(empty, "console=ttyS1").chunks()]);
    const { sections } = inspectUki(sourceOfBytes(addon));
    expect(sections.map(({ name }) => name)).toEqual([".text", ".cmdline", ".sbat"]);
    expect(sections[1]!.text).toBe("console=ttyS1");
    const generations = sections[2]!.text!.trimEnd().split("\n");
    expect(generations.map((line) => line.split(",")[0])).toEqual(["sbat", "systemd-addon", "uki-addon"]);
  });
});

describe("requireAddons", () => {
  it("refuses a stub that is not known to read them", () => {
    expect(() => requireAddons(empty, "addon:site")).toThrow(/addon:site: the UKI's stub is not systemd's/);
  });
});
