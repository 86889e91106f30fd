import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { tempStore } from "../../test/support/temp-store.ts";
import { silent } from "../base/events.ts";
import type { FileTree, TreeEntry } from "../formats/filetree.ts";
import { readNewc } from "../formats/newc-reader.ts";
import { runStages } from "../stage/scheduler.ts";
import type { AnyStage } from "../stage/stage.ts";
import { blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { type BaseTreeOptions, initramfsBase } from "./base.ts";
import { microcodeSegment } from "./microcode.ts";
import { joinSegments, packInitramfs } from "./pack.ts";

const owner = { uid: 0, gid: 0 };
const file = (store: Store, path: string, content: string | Uint8Array): TreeEntry => ({
  type: "file",
  path,
  mode: 0o644,
  ...owner,
  content: store.blobs.put(content),
});

async function run(store: Store, stage: AnyStage) {
  const settings = { store, emit: silent, signal: new AbortController().signal, project: "p" };
  const report = await runStages([stage], settings);
  return report.output(stage, stage.outputs[0]!);
}
const bytes = async (store: Store, stage: AnyStage) => store.blobs.readAll(await run(store, stage));

describe("packInitramfs", () => {
  const tree = (store: Store) => store.putTree([file(store, "a", "text"), file(store, "b", "x".repeat(10_000))]);
  const pack = (store: Store, kind: "zstd" | "gzip" | "none", level = 3) =>
    bytes(store, packInitramfs({ name: "pack", tree: tree(store), compress: { kind, level }, epoch: 9 }));

  it("is the same cpio in any compression", async () => {
    const store = tempStore();
    const cpio = await pack(store, "none", 0);
    expect(readNewc(cpio).entries.map(({ path, size, mtime }) => [path, size, mtime])).toEqual([
      ["a", 4, 9],
      ["b", 10_000, 9],
    ]);
    expect(zstdDecompressSync(await pack(store, "zstd")).equals(cpio)).toBe(true);
    expect(gunzipSync(await pack(store, "gzip")).equals(cpio)).toBe(true);
  });

  it("a level is part of the result", async () => {
    const store = tempStore();
    expect((await pack(store, "gzip", 1)).equals(await pack(store, "gzip", 9))).toBe(false);
  });

  it("has no time of its own in gzip", async () => {
    expect((await pack(tempStore(), "gzip")).readUInt32LE(4)).toBe(0);
  });

  it("contents that are gone from the store are told as such, so that they are made again", async () => {
    const store = tempStore();
    const artifact = tree(store);
    const [first] = store.getTree(artifact);
    store.blobs.remove(first?.type === "file" ? first.content.hash : "");
    for (const kind of ["none", "zstd", "gzip"] as const)
      await expect(
        run(store, packInitramfs({ name: "pack", tree: artifact, compress: { kind, level: 1 }, epoch: 0 })),
      ).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
  });
});

describe("joinSegments", () => {
  it("starts every segment at a multiple of four bytes", async () => {
    const store = tempStore();
    const segments = ["12345", "abc", "wxyz"].map((text) => blobArtifact(store.blobs.put(text)));
    expect((await bytes(store, joinSegments({ name: "join", segments }))).toString()).toBe("12345\0\0\0abc\0wxyz");
  });

  it("an early segment is read first, and the rest follows where it ends", async () => {
    const store = tempStore();
    const tree = store.putTree([file(store, "main", "x")]);
    const main = await bytes(store, packInitramfs({ name: "m", tree, compress: { kind: "gzip", level: 6 }, epoch: 0 }));
    const sources = [store.putTree([file(store, "amd-ucode/one.bin", "ucode")])];
    const early = await bytes(store, microcodeSegment({ name: "u", sources, epoch: 0 }));
    const segments = [early, main].map((part) => blobArtifact(store.blobs.put(part)));
    const both = await bytes(store, joinSegments({ name: "join", segments }));
    const { entries, end } = readNewc(both);
    expect(entries.at(-1)?.path).toBe("kernel/x86/microcode/AuthenticAMD.bin");
    expect(readNewc(gunzipSync(both.subarray(end))).entries.map(({ path }) => path)).toEqual(["main"]);
  });
});

describe("microcodeSegment", () => {
  const segment = (store: Store, ...trees: FileTree[]) => {
    const sources = trees.map((tree) => store.putTree(tree));
    return bytes(store, microcodeSegment({ name: "ucode", sources, epoch: 5 }));
  };

  it("has one file a vendor: all of the vendor's, one after the other", async () => {
    const store = tempStore();
    const cpio = await segment(store, [
      file(store, "amd-ucode/README", "no"),
      file(store, "amd-ucode/a.bin", "A"),
      file(store, "amd-ucode/a.bin.asc", "no"),
      file(store, "amd-ucode/b.bin", "B"),
      file(store, "intel-ucode/06-01-02", "I"),
    ]);
    const contents = readNewc(cpio).entries.map(({ path, offset, size }) => [
      path,
      cpio.toString("latin1", offset, offset + size),
    ]);
    expect(contents).toEqual([
      ["kernel", ""],
      ["kernel/x86", ""],
      ["kernel/x86/microcode", ""],
      ["kernel/x86/microcode/AuthenticAMD.bin", "AB"],
      ["kernel/x86/microcode/GenuineIntel.bin", "I"],
    ]);
  });

  it("takes a file as it is, at a multiple of four bytes", async () => {
    const store = tempStore();
    const lone = [file(store, "", "ready")];
    expect((await segment(store, lone, lone)).toString()).toBe("ready\0\0\0ready\0\0\0");
  });

  it("a directory without microcode is told", async () => {
    const store = tempStore();
    await expect(segment(store, [file(store, "x/a.bin", ""), file(store, "y", "")])).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("amd-ucode/"),
    });
  });
});

describe("initramfsBase", () => {
  const busybox = Buffer.from("[\0[[\0cat\0init\0mount\0sh\0", "latin1");
  const settings = { run: [], services: {}, console: "none" as const, agent: false, coldplug: false };
  async function base(options: Partial<BaseTreeOptions> = {}, store: Store = tempStore()) {
    const stage = initramfsBase({
      name: "base",
      init: "busybox",
      root: false,
      agentScript: "agent",
      partuuidScript: "partuuid() { :; }",
      busybox: store.putTree([file(store, "bin/busybox", busybox)]),
      settings,
      ...options,
    });
    const tree = store.getTree((await run(store, stage)) as TreeArtifact);
    const get = (path: string) => tree.find((entry) => entry.path === path);
    return { paths: tree.map((entry) => entry.path), get };
  }

  it("has BusyBox, a link for each of its commands, and itself as /init", async () => {
    const { get } = await base();
    expect(get("bin/busybox")).toMatchObject({ type: "file", mode: 0o755 });
    for (const name of ["[", "[[", "cat", "sh"]) expect(get(`bin/${name}`)).toMatchObject({ target: "busybox" });
    expect(get("init")).toMatchObject({ target: "bin/busybox" });
    expect(get("etc/inittab")).toMatchObject({ type: "file" });
    expect(get("etc/shadow")).toMatchObject({ mode: 0o600 });
  });

  it("takes BusyBox from a lone file, or from where the package has it", async () => {
    for (const place of ["", "usr/bin/busybox"]) {
      const store = tempStore();
      const tree = store.putTree([file(store, place, busybox)]);
      expect((await base({ busybox: tree }, store)).get("bin/busybox")).toBeDefined();
    }
    const store = tempStore();
    const tree = store.putTree([file(store, "other", busybox)]);
    await expect(base({ busybox: tree }, store)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  it("always has a console, and places to mount on", async () => {
    for (const init of ["busybox", "none", "/sbin/mine"]) {
      const { get } = await base({ init });
      expect(get("dev/console")).toMatchObject({ type: "char", major: 5, minor: 1, mode: 0o600 });
      expect(get("tmp")).toMatchObject({ mode: 0o1777 });
      expect(get("proc")).toMatchObject({ type: "directory" });
    }
  });

  it("with a program as init has a link to it and nothing of BusyBox; with none, no init", async () => {
    const mine = await base({ init: "/sbin/mine" });
    expect(mine.get("init")).toMatchObject({ target: "/sbin/mine" });
    expect(mine.get("bin/busybox")).toBeUndefined();
    expect((await base({ init: "none" })).get("init")).toBeUndefined();
  });

  it("has the agent only where it is asked for and can run", async () => {
    const agent = { ...settings, agent: true };
    expect((await base({ settings: agent })).get("usr/lib/bootwright/agent")).toMatchObject({ mode: 0o755 });
    expect((await base()).get("usr/lib/bootwright/agent")).toBeUndefined();
    expect((await base({ settings: agent, init: "none" })).get("usr/lib/bootwright/agent")).toBeUndefined();
  });
});
