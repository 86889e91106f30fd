import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { dir, file as layerFile, layerTar, linkTar } from "../../test/support/oci-layout.ts";
import { tempDir, tempStore } from "../../test/support/temp-store.ts";
import { concatBytes } from "../base/bytes.ts";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { silent } from "../base/events.ts";
import type { FileEntry, FileTree, TreeEntry } from "../formats/filetree.ts";
import { decodeTree } from "../formats/filetree-codec.ts";
import { encodeNewc } from "../formats/newc.ts";
import { encodeTar } from "../formats/tar-writer.ts";
import { runStages } from "../stage/scheduler.ts";
import { blobArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { importArchive, importLayer, type UnpackLimits } from "./import-archive.ts";

const signal = new AbortController().signal;
const own = { uid: 0, gid: 0, mtime: 7 };
const contents = new Map<string, Buffer>();
const read = ({ hash }: { hash: string }) => [contents.get(hash)!];

function file(at: string, text: string, more: object = {}): TreeEntry {
  contents.set(digestOf(text).hash, Buffer.from(text));
  return { type: "file", path: at, mode: 0o644, ...own, content: digestOf(text), ...more };
}
const sample: FileTree = [
  { type: "directory", path: "bin", mode: 0o755, ...own },
  file("bin/a", "first", { mode: 0o4755, link: 1 }),
  file("bin/b", "first", { mode: 0o4755, link: 1 }),
  { type: "char", path: "console", mode: 0o600, ...own, major: 5, minor: 1 },
  file("empty", ""),
  { type: "symlink", path: "link", mode: 0o777, ...own, target: "../somewhere" },
  file("text", "second", { uid: 1000, gid: 70_000 }),
];
const tar = (tree: FileTree = sample) => concatBytes([...encodeTar(tree, { read, mtime: 0 })]);
const newc = (tree: FileTree = sample) => concatBytes([...encodeNewc(tree, { read, mtime: 0 })]);

async function unpack(bytes: Uint8Array, store: Store = tempStore(), limits?: UnpackLimits) {
  const archive = blobArtifact(store.blobs.put(bytes));
  const stage = importArchive({ name: "unpack", archive, what: "sample.tar", ...(limits && { limits }) });
  const report = await runStages([stage], { store, emit: silent, signal, project: "p" });
  const pack = report.output(stage, "pack");
  return { store, pack, tree: store.getTree(report.output(stage, "tree") as never) };
}
/** Without places: what a reader sees. */
const seen = (store: Store, tree: FileTree) =>
  tree.map((entry) =>
    entry.type === "file" ? { ...entry, content: store.readContent(entry.content).toString() } : entry,
  );
const expected = sample.map((entry) =>
  entry.type === "file" ? { ...entry, content: contents.get(entry.content.hash)!.toString() } : entry,
);

describe("an archive becomes a tree", () => {
  it.each<[what: string, bytes: () => Uint8Array]>([
    ["tar", () => tar()],
    ["tar.gz", () => gzipSync(tar())],
    ["tar.zst", () => zstdCompressSync(tar())],
    ["tar.xz", () => execFileSync(needProgram("xz", "xz-utils"), ["-c"], { input: tar() })],
    ["cpio", () => newc()],
    ["cpio.gz", () => gzipSync(newc())],
  ])("from %s", async (_, bytes) => {
    const { store, tree } = await unpack(bytes());
    expect(seen(store, tree)).toEqual(expected);
  });

  it("from a Debian package", async () => {
    const dir = tempDir();
    fs.mkdirSync(path.join(dir, "DEBIAN"), { mode: 0o755 });
    fs.mkdirSync(path.join(dir, "usr/bin"), { recursive: true });
    fs.writeFileSync(
      path.join(dir, "DEBIAN/control"),
      "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: t\nDescription: t\n",
    );
    fs.writeFileSync(path.join(dir, "usr/bin/tool"), "#!/bin/sh\n", { mode: 0o755 });
    const deb = path.join(tempDir(), "x.deb");
    const args = ["--root-owner-group", "--build", dir, deb];
    execFileSync(needProgram("dpkg-deb", "dpkg"), args, { stdio: "ignore" });
    const { store, tree } = await unpack(fs.readFileSync(deb));
    expect(tree.map((entry) => entry.path)).toEqual(["", "usr", "usr/bin", "usr/bin/tool"]);
    expect(seen(store, tree).at(-1)).toMatchObject({ content: "#!/bin/sh\n", mode: 0o755, uid: 0 });
  });

  it("that stays one blob: entries point into it", async () => {
    const { store, tree, pack } = await unpack(gzipSync(tar()));
    expect(store.blobs.readAll(pack).equals(tar())).toBe(true);
    for (const entry of tree)
      if (entry.type === "file" && entry.content.size > 0) {
        expect(entry.content.pack).toMatchObject({ hash: pack.hash, size: pack.size });
        expect(digestOf(store.readContent(entry.content)).hash).toBe(entry.content.hash);
      }
    // Archive, pack, tree; no blob a file.
    expect([...store.blobs.list()]).toHaveLength(3);
  });

  it("sparse files become blobs of their own", async () => {
    const dir = tempDir();
    const handle = fs.openSync(path.join(dir, "sparse"), "w");
    fs.writeSync(handle, "end", 1_000_000);
    fs.closeSync(handle);
    const bytes = execFileSync(needProgram("tar", "tar"), ["--sparse", "-C", dir, "-cf", "-", "sparse"]);
    expect(bytes.length).toBeLessThan(100_000);
    const { store, tree } = await unpack(bytes);
    expect(tree[0]).toMatchObject({ path: "sparse", content: { size: 1_000_003 } });
    expect(seen(store, tree)[0]).toMatchObject({ content: `${"\0".repeat(1_000_000)}end` });
  });

  it("a later file of the same name wins, as tar has it", async () => {
    const [one] = [tar([file("f", "old")])];
    const both = Buffer.concat([one!.subarray(0, 1024), tar([file("f", "new")])]);
    const { store, tree } = await unpack(both);
    expect(seen(store, tree)).toMatchObject([{ path: "f", content: "new" }]);
  });

  it("with hard links in any order, which reads back as the same tree", async () => {
    const group = (link: number, ...names: string[]) => names.map((name) => file(name, `group ${link}`, { link }));
    const [c, a] = group(1, "c", "a") as [TreeEntry, TreeEntry];
    const [d, b] = group(2, "d", "b") as [TreeEntry, TreeEntry];
    const { store, tree } = await unpack(Buffer.concat([tar([a, c]).subarray(0, 1536), tar([b, d])]));
    const again = decodeTree(store.blobs.readAll(store.putTree(tree)));
    expect(again.map((entry) => [entry.path, entry.type === "file" && entry.link])).toEqual([
      ["a", 1],
      ["b", 2],
      ["c", 1],
      ["d", 2],
    ]);
  });

  it("large enough to come in many pieces", async () => {
    const tree = Array.from({ length: 300 }, (_, i) => file(`f${String(i).padStart(3, "0")}`, `${i}`.repeat(3000)));
    const { store, tree: got } = await unpack(zstdCompressSync(tar(tree)));
    expect(got).toHaveLength(300);
    for (const entry of got)
      if (entry.type === "file") expect(digestOf(store.readContent(entry.content)).hash).toBe(entry.content.hash);
  });
});

/** A tar of one member with any name and type, which our writer would not write. */
function rawMember(name: string, { type = "0", target = "", body = "" } = {}): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0, "latin1");
  header.write("0000644\0", 100);
  header.write("0000000\0", 108);
  header.write("0000000\0", 116);
  header.write(`${body.length.toString(8).padStart(11, "0")}\0`, 124);
  header.write("00000000000\0", 136);
  header.write("        ", 148);
  header.write(type, 156);
  header.write(target, 157, "latin1");
  header.write("ustar\x0000", 257, "latin1");
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([header, Buffer.from(body.padEnd(Math.ceil(body.length / 512) * 512, "\0"))]);
}
const END = Buffer.alloc(1024);

describe("hostile archives are refused with a code", () => {
  it.each<[what: string, bytes: Buffer, code: string]>([
    ["..", rawMember("../../etc/passwd"), "PATH_UNSAFE"],
    [".. inside", rawMember("a/../../b"), "PATH_UNSAFE"],
    ["an absolute name", rawMember("/etc/passwd"), "PATH_UNSAFE"],
    ["a hard link to nothing", rawMember("a", { type: "1", target: "nothing" }), "PATH_UNSAFE"],
    ["a hard link out", rawMember("a", { type: "1", target: "../../etc/shadow" }), "PATH_UNSAFE"],
    [
      "a directory that becomes a file",
      Buffer.concat([rawMember("d/", { type: "5" }), rawMember("d")]),
      "TREE_CONFLICT",
    ],
  ])("%s", async (_, bytes, code) => {
    await expect(unpack(Buffer.concat([bytes, END]))).rejects.toMatchObject({ code });
  });

  it.each<[what: string, bytes: () => Uint8Array]>([
    ["a tar that is cut off", () => tar().subarray(0, 2000)],
    ["a gzip that is cut off", () => gzipSync(tar()).subarray(0, -30)],
    ["a zstd that is cut off", () => zstdCompressSync(tar()).subarray(0, -30)],
    ["a cpio that is cut off", () => newc().subarray(0, 300)],
    ["text", () => Buffer.from("<html>Not found</html>".repeat(100))],
    ["nothing", () => Buffer.alloc(0)],
    ["an ar without data", () => Buffer.from("!<arch>\n")],
  ])("%s", async (_, bytes) => {
    await expect(unpack(bytes())).rejects.toMatchObject({ code: "FORMAT_INVALID" });
  });

  it("a compressed segment behind a cpio is told, not passed over", async () => {
    await expect(unpack(Buffer.concat([newc(), gzipSync(newc())]))).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  it("leave nothing of a tree behind", async () => {
    const store = tempStore();
    await expect(unpack(tar().subarray(0, 2000), store)).rejects.toThrow();
    expect(fs.readdirSync(path.join(store.dir, "tmp"))).toEqual([]);
    expect([...store.blobs.list()]).toHaveLength(1); // The archive itself.
  });

  it("whatever the damage, it is an error with a code or a tree", async () => {
    const store = tempStore();
    for (const whole of [tar(), newc()])
      await fc.assert(
        fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
          const bytes = Buffer.from(whole);
          bytes[at]! ^= flip;
          await unpack(bytes, store).catch((error: unknown) => expect(error).toBeInstanceOf(BootwrightError));
        }),
        { numRuns: 40 },
      );
  });
});

describe("a layer of a container image", () => {
  async function unpackLayer(bytes: Uint8Array, store: Store = tempStore()) {
    const stage = importLayer({ name: "layer", layer: blobArtifact(store.blobs.put(bytes)), what: "layer" });
    const report = await runStages([stage], { store, emit: silent, signal, project: "p" });
    const links = store.blobs.readAll(report.output(stage, "links")).toString();
    const pack = report.output(stage, "pack");
    return { store, pack, links: JSON.parse(links), tree: store.getTree(report.output(stage, "tree") as never) };
  }
  const whole = layerTar(dir("d"), layerFile("d/a", "first"), layerFile("z", "second"));
  const names = (tree: FileTree) => tree.map(({ path }) => path);

  it("keeps its uncompressed tar whole, whose digest is the diff_id", async () => {
    const { tree, pack, links } = await unpackLayer(gzipSync(whole));
    expect(pack.hash).toBe(digestOf(whole).hash);
    expect([names(tree), links]).toEqual([["d", "d/a", "z"], []]);
  });

  it("may link to layers below, also by way of such a link", async () => {
    const end = Buffer.alloc(1024);
    const bytes = concatBytes([linkTar("b", "a").subarray(0, 512), linkTar("c", "b").subarray(0, 512), end]);
    const { tree, links } = await unpackLayer(bytes);
    expect([tree, links]).toEqual([
      [],
      [
        ["b", "a"],
        ["c", "a"],
      ],
    ]);
    const replaced = concatBytes([linkTar("b", "a").subarray(0, 512), layerTar(layerFile("b", "1"))]);
    expect(await unpackLayer(replaced)).toMatchObject({ links: [], tree: [{ path: "b", type: "file" }] });
  });

  it("may stop behind its last byte, as umoci writes it, and may be empty", async () => {
    const bare = whole.subarray(0, -1024 - 512 + "second".length);
    const { tree, store } = await unpackLayer(bare);
    expect(store.readContent((tree[2] as FileEntry).content).toString()).toBe("second");
    expect((await unpackLayer(Buffer.alloc(0))).tree).toEqual([]);
  });

  it("that stops within a file is cut off", async () => {
    for (const end of [1, 3, 513]) {
      const cut = whole.subarray(0, -1024 - 512 + "second".length - end);
      await expect(unpackLayer(cut)).rejects.toMatchObject({ code: "FORMAT_INVALID" });
    }
  });

  it("whatever the damage, is an error with a code or a tree", async () => {
    const store = tempStore();
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(whole.length), fc.nat(255), async (at, length, value) => {
        const bytes = Buffer.from(whole);
        bytes[at] = value;
        const given = unpackLayer(bytes.subarray(0, length), store);
        await given.catch((error: unknown) => expect(error).toBeInstanceOf(BootwrightError));
      }),
      { numRuns: 60 },
    );
  });
});

describe("what unpacks to more than the limit is LIMIT_EXCEEDED", () => {
  const big = [file("zeros", "\0".repeat(300_000))];
  const plenty = { tar: 2 ** 40, cpio: 2 ** 31 };

  it.each<[what: string, bytes: () => Uint8Array, unpacked: number, kind: keyof UnpackLimits]>([
    ["a tar", () => tar(big), tar(big).length, "tar"],
    ["a tar.gz", () => gzipSync(tar(big)), tar(big).length, "tar"],
    ["a tar.zst", () => zstdCompressSync(tar(big)), tar(big).length, "tar"],
    ["a cpio.gz", () => gzipSync(newc(big)), newc(big).length, "cpio"],
  ])("%s", async (_, bytes, unpacked, kind) => {
    const store = tempStore();
    const { tree } = await unpack(bytes(), store, { ...plenty, [kind]: unpacked });
    expect(tree.map((entry) => entry.path)).toEqual(["zeros"]);
    await expect(unpack(bytes(), tempStore(), { ...plenty, [kind]: unpacked - 1 })).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
      message: expect.stringMatching(/^sample\.tar: unpacks to more than \d+\.\d KiB$/),
    });
  });

  it("a tar with a sparse file that is mostly a hole, which leaves nothing behind", async () => {
    const dir = tempDir();
    const handle = fs.openSync(path.join(dir, "sparse"), "w");
    fs.writeSync(handle, "end", 1_000_000);
    fs.closeSync(handle);
    const bytes = execFileSync(needProgram("tar", "tar"), ["--sparse", "-C", dir, "-cf", "-", "sparse"]);
    const store = tempStore();
    const limits = { ...plenty, tar: 500_000 };
    await expect(unpack(bytes, store, limits)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
    expect(fs.readdirSync(path.join(store.dir, "tmp"))).toEqual([]);
  });

  it("a sparse file in a tar that is cut off leaves nothing behind, either", async () => {
    const dir = tempDir();
    const handle = fs.openSync(path.join(dir, "sparse"), "w");
    fs.writeSync(handle, "x".repeat(600_000), 1_000_000);
    fs.closeSync(handle);
    const bytes = gzipSync(execFileSync(needProgram("tar", "tar"), ["--sparse", "-C", dir, "-cf", "-", "sparse"]));
    const store = tempStore();
    await expect(unpack(bytes.subarray(0, -20), store)).rejects.toMatchObject({ code: "FORMAT_INVALID" });
    expect(fs.readdirSync(path.join(store.dir, "tmp"))).toEqual([]);
  });

  it("a layer of a container image", async () => {
    const store = tempStore();
    const layer = blobArtifact(store.blobs.put(gzipSync(tar(big))));
    const stage = importLayer({ name: "layer", layer, what: "layer", limits: { tar: 100_000 } });
    await expect(runStages([stage], { store, emit: silent, signal, project: "p" })).rejects.toMatchObject({
      code: "LIMIT_EXCEEDED",
    });
  });
});
