import { describe, expect, it } from "vitest";
import { tempStore } from "../../test/support/temp-store.ts";
import { silent } from "../base/events.ts";
import type { FileTree, TreeEntry } from "../formats/filetree.ts";
import { runStages } from "../stage/scheduler.ts";
import { blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { parseWhence, selectFirmware } from "./firmware.ts";
import { treeOfFiles } from "./kernel.fake.ts";

const link = (path: string, target: string): TreeEntry => ({
  type: "symlink",
  path,
  mode: 0o777,
  uid: 0,
  gid: 0,
  target,
});
const sorted = (...entries: TreeEntry[]) => entries.sort((a, b) => (a.path < b.path ? -1 : 1));

interface Wish {
  readonly patterns?: string[];
  readonly named?: string[];
}

/** The paths below lib/firmware, links as "name -> target". */
async function take(make: (store: Store) => FileTree[], { patterns = [], named }: Wish): Promise<string[]> {
  const store = tempStore();
  const collection = make(store).map((tree) => store.putTree(tree));
  const list = named === undefined ? undefined : blobArtifact(store.blobs.put(JSON.stringify(named)));
  const stage = selectFirmware({ name: "firmware", collection, patterns, named: list });
  const report = await runStages([stage], { store, emit: silent, signal: new AbortController().signal, project: "p" });
  return store
    .getTree(report.output(stage, "tree") as TreeArtifact)
    .filter((entry) => entry.type !== "directory")
    .map((entry) => entry.path.replace("lib/firmware/", "") + (entry.type === "symlink" ? ` -> ${entry.target}` : ""));
}

const packages = (store: Store): FileTree[] => [
  sorted(
    ...treeOfFiles(store, {
      "lib/firmware/iwlwifi-7260-17.ucode": "1",
      "lib/firmware/amdgpu/polaris.bin.xz": "2",
      "lib/firmware/brcm/b.bin": "3",
      "usr/share/doc/firmware/copyright": "4",
    }),
    link("lib/firmware/amdgpu/alias.bin.xz", "polaris.bin.xz"),
    link("lib/firmware/brcm/a.bin", "../brcm/c.bin"),
    link("lib/firmware/brcm/c.bin", "b.bin"),
  ),
  treeOfFiles(store, { "usr/lib/firmware/updates/iwlwifi-9000.ucode.zst": "5" }),
];

const whence = (store: Store): FileTree[] => [
  treeOfFiles(store, {
    "linux-firmware-1/WHENCE":
      'Driver: x\n\nFile: a/one.bin\nRawFile: "a/two words.bin"\nFile: not-there.bin\nLink: b/one.bin -> ../a/one.bin\n\nLicence: y\n',
    "linux-firmware-1/a/one.bin": "1",
    "linux-firmware-1/a/two words.bin": "2",
    "linux-firmware-1/a/unlisted.bin": "3",
    "linux-firmware-1/Makefile": "",
  }),
];

describe("out of packages", () => {
  it.each<[what: string, wish: Wish, taken: string[]]>([
    ["names by pattern", { patterns: ["iwlwifi*"] }, ["iwlwifi-7260-17.ucode", "iwlwifi-9000.ucode.zst"]],
    ["compressed files by their plain names", { patterns: ["amdgpu/polaris.bin"] }, ["amdgpu/polaris.bin.xz"]],
    [
      "what a link leads to",
      { patterns: ["amdgpu/alias.bin"] },
      ["amdgpu/alias.bin.xz -> polaris.bin.xz", "amdgpu/polaris.bin.xz"],
    ],
    [
      "a link to a link",
      { patterns: ["brcm/a.bin"] },
      ["brcm/a.bin -> ../brcm/c.bin", "brcm/b.bin", "brcm/c.bin -> b.bin"],
    ],
    ["what modules name, where it is there", { named: ["brcm/b.bin", "no/such.bin"] }, ["brcm/b.bin"]],
  ])("%s", async (_, wish, taken) => {
    expect(await take(packages, wish)).toEqual(taken);
  });

  it("everything", async () => {
    expect(await take(packages, { patterns: ["**"] })).toHaveLength(7);
  });

  it("a pattern that matches nothing is told, with what was meant", async () => {
    await expect(take(packages, { patterns: ["brcm/*", "brcm/bb.bin"] })).rejects.toMatchObject({
      code: "NAME_UNKNOWN",
      message: 'there is no firmware "brcm/bb.bin"; did you mean "brcm/b.bin"?',
    });
  });

  it("a link into nowhere is told", async () => {
    const broken = (): FileTree[] => [[link("lib/firmware/a", "../../../etc/passwd")]];
    await expect(take(() => withParents(broken()[0]!), { patterns: ["a"] })).rejects.toMatchObject({
      code: "PATH_MISSING",
    });
  });
});

const withParents = (tree: FileTree): FileTree[] => [
  sorted(
    ...["", "lib", "lib/firmware"].map((path): TreeEntry => ({ type: "directory", path, mode: 0o755, uid: 0, gid: 0 })),
    ...tree,
  ),
];

describe("out of linux-firmware", () => {
  it("takes what WHENCE lists, and makes its links", async () => {
    expect(await take(whence, { patterns: ["**"] })).toEqual([
      "a/one.bin",
      "a/two words.bin",
      "b/one.bin -> ../a/one.bin",
    ]);
  });

  it("with a link comes its target", async () => {
    expect(await take(whence, { patterns: ["b/*"] })).toEqual(["a/one.bin", "b/one.bin -> ../a/one.bin"]);
  });
});

it("parseWhence passes over what it does not know", () => {
  expect(parseWhence("Version: 1\nInfo: File: x\nFile:y\nLink: a -> b\n")).toEqual({
    names: ["y"],
    links: [{ name: "a", target: "b" }],
  });
});
