import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { PARTITION_TYPE_NAMES, type PartitionType, partitionType } from "./partition-types.ts";

/** What sfdisk calls them; "%" stands for the processor. */
const NAMES: Readonly<Record<PartitionType, string>> = {
  esp: "EFI System",
  xbootldr: "Linux extended boot",
  linux: "Linux filesystem",
  home: "Linux home",
  srv: "Linux server data",
  var: "Linux variable data",
  tmp: "Linux temporary data",
  swap: "Linux swap",
  root: "Linux root (%)",
  "root-verity": "Linux root verity (%)",
  "root-verity-sig": "Linux root verity sign. (%)",
  usr: "Linux /usr (%)",
  "usr-verity": "Linux /usr verity (%)",
  "usr-verity-sig": "Linux /usr verity sign. (%)",
};

it("gives the GUIDs that sfdisk knows", () => {
  const { stdout } = spawnSync(needProgram("sfdisk", "fdisk"), ["-X", "gpt", "--list-types"], { encoding: "utf8" });
  const known = new Map(
    stdout.split("\n").map((line): [string, string] => [line.slice(38).trim(), line.slice(0, 36).toLowerCase()]),
  );
  for (const type of PARTITION_TYPE_NAMES)
    for (const [architecture, processor] of [
      ["amd64", "x86-64"],
      ["arm64", "ARM-64"],
    ] as const)
      expect([type, partitionType(type, architecture)]).toEqual([type, known.get(NAMES[type].replace("%", processor))]);
});
