import fs from "node:fs";
import path from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { tinyElf } from "../../test/support/tiny-elf.ts";
import { silent } from "../base/events.ts";
import type { FileTree } from "../formats/filetree.ts";
import { takeSnapshot } from "../source/snapshot.ts";
import { runStages } from "../stage/scheduler.ts";
import type { AnyStage } from "../stage/stage.ts";
import { type Artifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { kernelFromFiles } from "./files.ts";
import { modinfo, RELEASE, treeOfFiles } from "./kernel.fake.ts";
import { indexModules, loadModuleIndex, type ModuleIndex } from "./module-index.ts";
import { selectModulesStage } from "./module-selection.ts";
import { kernelFromPackage } from "./package.ts";

const HOME = `lib/modules/${RELEASE}`;
const module = (...lines: string[]) => tinyElf({ sections: { ".modinfo": modinfo(...lines) } });

async function run(store: Store, stage: AnyStage): Promise<Record<string, Artifact>> {
  const options = { store, emit: silent, signal: new AbortController().signal, project: "p" };
  const report = await runStages([stage], options);
  return Object.fromEntries(stage.outputs.map((name) => [name, report.output(stage, name)]));
}
const text = (store: Store, artifact: Artifact | undefined) => store.blobs.readAll(artifact!).toString();
const paths = (store: Store, artifact: Artifact | undefined) =>
  store.getTree(artifact as TreeArtifact).map((entry) => entry.path);

async function indexOf(store: Store, tree: FileTree): Promise<ModuleIndex> {
  const { index } = await run(store, indexModules({ name: "index", modules: store.putTree(tree) }));
  return loadModuleIndex(store, index as never);
}

const moduleFiles = () => ({
  [`${HOME}/kernel/net/net-dev.ko`]: module(
    "depends=bus,failover",
    "softdep=pre: crc post: late",
    "alias=pci:v1d2",
    "alias=net-other",
    "firmware=net/a.bin",
  ),
  [`${HOME}/kernel/bus.ko.gz`]: gzipSync(module("name=bus")),
  [`${HOME}/kernel/failover.ko.zst`]: zstdCompressSync(module("name=failover")),
  [`${HOME}/modules.builtin`]: "kernel/fs/ext4/ext4.ko\nkernel/lib/crc-x.ko\n",
  [`${HOME}/modules.order`]: "not read",
});

describe("indexModules", () => {
  it("reads what each module says of itself, compressed ones, too", async () => {
    const store = tempStore();
    expect(await indexOf(store, treeOfFiles(store, moduleFiles()))).toEqual({
      release: RELEASE,
      modules: {
        bus: { path: `${HOME}/kernel/bus.ko.gz`, depends: [], pre: [], post: [], firmware: [] },
        failover: { path: `${HOME}/kernel/failover.ko.zst`, depends: [], pre: [], post: [], firmware: [] },
        net_dev: {
          path: `${HOME}/kernel/net/net-dev.ko`,
          depends: ["bus", "failover"],
          pre: ["crc"],
          post: ["late"],
          firmware: ["net/a.bin"],
        },
      },
      builtin: ["crc_x", "ext4"],
      aliases: { net_other: "net_dev" },
    });
  });

  it("of no modules is empty", async () => {
    expect(await indexOf(tempStore(), [])).toEqual({ release: "", modules: {}, builtin: [], aliases: {} });
  });

  it.each<[what: string, bytes: Uint8Array]>([
    ["not an ELF file", Buffer.from("text")],
    ["empty", Buffer.alloc(0)],
    ["without .modinfo", tinyElf({ sections: { ".text": Buffer.alloc(4) } })],
  ])("a module that is %s is told by name", async (_, bytes) => {
    const store = tempStore();
    await expect(indexOf(store, treeOfFiles(store, { [`${HOME}/bad.ko`]: bytes }))).rejects.toMatchObject({
      code: "FORMAT_INVALID",
      message: expect.stringContaining("bad.ko"),
    });
  });

  it("a damaged compression is told by name", async () => {
    const store = tempStore();
    const cut = gzipSync(module("name=x")).subarray(0, -10);
    await expect(indexOf(store, treeOfFiles(store, { [`${HOME}/bad.ko.gz`]: cut }))).rejects.toMatchObject({
      code: "FORMAT_INVALID",
      message: expect.stringContaining("bad.ko.gz"),
    });
  });
});

describe("selectModulesStage", () => {
  it("takes modules out, uncompressed, with what modprobe needs", async () => {
    const store = tempStore();
    const modules = store.putTree(treeOfFiles(store, moduleFiles()));
    const { index, devices } = (await run(store, indexModules({ name: "index", modules }))) as Record<string, never>;
    const choice = { first: ["net-dev"], later: [] };
    const options = { name: "modules", modules, index: index!, devices: devices!, choice, optional: ["nothing"] };
    const { tree, loadList, firmware } = await run(store, selectModulesStage(options));
    const files = [`${HOME}/kernel/bus.ko`, `${HOME}/kernel/failover.ko`, `${HOME}/kernel/net/net-dev.ko`];
    expect(JSON.parse(text(store, loadList))).toEqual({ first: files.map((name) => `/${name}`), later: [] });
    expect(JSON.parse(text(store, firmware))).toEqual(["net/a.bin"]);
    const dirs = ["", "lib", "lib/modules", HOME, `${HOME}/kernel`, `${HOME}/kernel/net`];
    expect(paths(store, tree)).toEqual(
      [...dirs, ...files, `${HOME}/modules.alias`, `${HOME}/modules.builtin`, `${HOME}/modules.dep`].sort(),
    );
    const bus = store.getTree(tree as TreeArtifact).find((entry) => entry.path === files[0]);
    expect(bus?.type === "file" && store.readContent(bus.content).equals(module("name=bus"))).toBe(true);
  });
});

describe("selectModulesStage, in other ways to choose", () => {
  type Choice = Parameters<typeof selectModulesStage>[0]["choice"];

  async function select(
    choice: Choice,
    { deviceList, optional = [] }: { deviceList?: string; optional?: string[] } = {},
  ) {
    const store = tempStore();
    const modules = store.putTree(treeOfFiles(store, moduleFiles()));
    const { index, devices } = (await run(store, indexModules({ name: "index", modules }))) as Record<string, never>;
    const list = deviceList === undefined ? undefined : blobArtifact(store.blobs.put(deviceList));
    const options = { name: "m", modules, index: index!, devices: devices!, choice, optional, deviceList: list };
    const { tree, loadList } = await run(store, selectModulesStage(options));
    const lists = JSON.parse(text(store, loadList)) as Record<"first" | "later", string[]>;
    const names = (paths: string[]) => paths.map((name) => path.basename(name, ".ko"));
    const alias = store.getTree(tree as TreeArtifact).find((entry) => entry.path === `${HOME}/modules.alias`);
    return {
      files: paths(store, tree)
        .filter((name) => name.endsWith(".ko"))
        .map((name) => path.basename(name, ".ko")),
      first: names(lists.first),
      later: names(lists.later),
      aliases: alias?.type === "file" ? store.readContent(alias.content).toString() : "",
    };
  }

  it("in two steps: what the first has loaded, the second does not load again", async () => {
    expect(await select({ first: ["bus"], later: ["net-dev"] })).toMatchObject({
      first: ["bus"],
      later: ["failover", "net-dev"],
      files: ["bus", "failover", "net-dev"],
    });
  });

  it("all: every module is there, the optional ones are loaded, the rest is for devices", async () => {
    expect(await select("all", { optional: ["failover", "nothing"] })).toEqual({
      files: ["bus", "failover", "net-dev"],
      first: ["failover"],
      later: [],
      aliases: "alias pci:v1d2 net_dev\n",
    });
  });

  it("by a list of devices", async () => {
    const { first } = await select({ first: [], later: [] }, { deviceList: "# a card\npci:v1d2\nusb:v9\n" });
    expect(first).toEqual(["bus", "failover", "net-dev"]);
  });

  it("a list of devices that nothing drives is none", async () => {
    await expect(select({ first: [], later: [] }, { deviceList: "laptop\n" })).rejects.toMatchObject({
      code: "MODULE_UNKNOWN",
    });
  });
});

describe("kernelFromPackage", () => {
  const kernel = (store: Store, ...trees: FileTree[]) =>
    run(store, kernelFromPackage({ name: "kernel", packages: trees.map((tree) => store.putTree(tree)) }));

  it("finds the image, its config and map, and the modules without links to build trees", async () => {
    const store = tempStore();
    const tree = treeOfFiles(store, {
      [`boot/vmlinuz-${RELEASE}`]: "image",
      [`boot/config-${RELEASE}`]: "CONFIG_X=y",
      [`boot/System.map-${RELEASE}`]: "0 T start",
      [`${HOME}/kernel/a.ko`]: "a",
      "usr/share/doc/linux/copyright": "text",
    });
    const build = {
      type: "symlink",
      path: `${HOME}/build`,
      mode: 0o777,
      uid: 0,
      gid: 0,
      target: "/usr/src/x",
    } as const;
    const outputs = await kernel(
      store,
      [...tree, build].sort((a, b) => (a.path < b.path ? -1 : 1)),
    );
    const texts = ["image", "config", "systemMap", "release"].map((name) => text(store, outputs[name]));
    expect(texts).toEqual(["image", "CONFIG_X=y", "0 T start", RELEASE]);
    expect(paths(store, outputs.modules)).toEqual([
      "",
      "lib",
      "lib/modules",
      HOME,
      `${HOME}/kernel`,
      `${HOME}/kernel/a.ko`,
    ]);
  });

  it("takes modules from a package of their own, below /usr, too", async () => {
    const store = tempStore();
    const outputs = await kernel(
      store,
      treeOfFiles(store, { [`boot/vmlinuz-${RELEASE}`]: "image" }),
      treeOfFiles(store, { [`usr/${HOME}/kernel/a.ko`]: "a", "usr/lib/modules/other/b.ko": "b" }),
    );
    expect(paths(store, outputs.modules)).toContain(`${HOME}/kernel/a.ko`);
    expect(paths(store, outputs.modules).join()).not.toContain("other");
    expect(text(store, outputs.config)).toBe("");
  });

  it("a package without a kernel is no kernel package", async () => {
    const store = tempStore();
    await expect(kernel(store, treeOfFiles(store, { "boot/readme": "" }))).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
  });
});

describe("kernelFromFiles", () => {
  /** The part of a bzImage's setup header that names the release. */
  function bzImage(release: string): Buffer {
    const image = Buffer.alloc(4096);
    image.writeUInt16LE(0xaa55, 0x1fe);
    image.write("HdrS", 0x202);
    image.writeUInt16LE(0x020f, 0x206);
    image.writeUInt16LE(0x400 - 0x200, 0x20e);
    image.write(`${release} (builder@host) #1\0`, 0x400);
    image[0x1f1] = 4;
    return image;
  }

  it("puts modules from a directory of the host under the image's release", async () => {
    const store = tempStore();
    const dir = tempDir();
    fs.mkdirSync(path.join(dir, "kernel"));
    fs.writeFileSync(path.join(dir, "kernel/a.ko"), module("name=a"));
    fs.writeFileSync(path.join(dir, "modules.builtin"), "");
    const snapshot = takeSnapshot(dir, { store });
    for (const entry of snapshot.tree())
      if (entry.type === "file") store.blobs.put(fs.readFileSync(path.join(dir, entry.path)));
    const image = blobArtifact(store.blobs.put(bzImage(RELEASE)));
    const stage = kernelFromFiles({ name: "k", image, config: undefined, modules: store.putTree(snapshot.tree()) });
    const outputs = await run(store, stage);
    expect(text(store, outputs.release)).toBe(RELEASE);
    expect(paths(store, outputs.modules)).toEqual([
      "",
      "lib",
      "lib/modules",
      HOME,
      `${HOME}/kernel`,
      `${HOME}/kernel/a.ko`,
      `${HOME}/modules.builtin`,
    ]);
    const index = await indexOf(store, store.getTree(outputs.modules as TreeArtifact));
    expect(index).toMatchObject({ release: RELEASE, modules: { a: { path: `${HOME}/kernel/a.ko` } } });
  });

  it("an image that is no kernel is told", async () => {
    const store = tempStore();
    const image = blobArtifact(store.blobs.put("not a kernel".repeat(400)));
    await expect(
      run(store, kernelFromFiles({ name: "k", image, config: undefined, modules: undefined })),
    ).rejects.toMatchObject({ code: expect.stringMatching(/^(FORMAT_INVALID|UNSUPPORTED)$/) });
  });
});
