import { describe, expect, it } from "vitest";
import { initramfsShape } from "./schema.ts";

describe("modules", () => {
  const none = { any: true, all: false, stage1: [], stage2: [], devices: undefined };

  it.each([
    [undefined, { ...none, any: false }],
    [[], { ...none, any: false }],
    [["ext4"], { ...none, stage1: ["ext4"] }],
    ["all", { ...none, all: true }],
    ["auto", { ...none, devices: "./devices.list" }],
    [
      { stage1: ["a"], stage2: ["b"] },
      { ...none, stage1: ["a"], stage2: ["b"] },
    ],
    [
      { devices: "./laptop", stage1: ["a"] },
      { ...none, devices: "./laptop", stage1: ["a"] },
    ],
    [{}, { ...none, any: false }],
  ])("%j means %j", (given, meant) => {
    expect(initramfsShape.modules.parse(given)).toEqual(meant);
  });
});

describe("compress", () => {
  const parse = (value: unknown) => initramfsShape.compress.safeParse(value);

  it.each([
    [undefined, { kind: "zstd", level: undefined }],
    ["gzip", { kind: "gzip", level: undefined }],
    [
      { kind: "zstd", level: 22 },
      { kind: "zstd", level: 22 },
    ],
    [{ kind: "none" }, { kind: "none" }],
  ])("%j means %j", (given, meant) => {
    expect(parse(given).data).toEqual(meant);
  });

  it.each([
    [{ kind: "xz", level: 22 }, "xz knows levels 1 to 9"],
    [{ kind: "gzip", level: 10 }, "gzip knows levels 1 to 9"],
    [{ kind: "lz4", level: 13 }, "lz4 knows levels 1 to 12"],
    [{ kind: "none", level: 1 }, "none has no levels"],
  ])("%j is refused: %s", (given, message) => {
    expect(JSON.stringify(parse(given).error?.issues)).toContain(message);
  });
});
