import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { needProgram } from "../../test/support/need-program.ts";
import { tempStore } from "../../test/support/temp-store.ts";
import type { FileTree, TreeEntry } from "../formats/filetree.ts";
import { importArchive } from "../source/import-archive.ts";
import { treeOf } from "../stage/stage.ts";
import { blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import { CONFIG, moduleTree, RELEASE, runStage, tinyArm64Image, tinyBundle, tinyBzImage } from "./bundle.fake.ts";
import { type OpenBundleOptions, openBundle } from "./bundle-reader.ts";
import { decodeManifest, encodeManifest, MANIFEST } from "./manifest.ts";

const open = async (
  store: Store,
  bundle: { sha256: string; size: number },
  options: Partial<OpenBundleOptions> = {},
) => {
  const archive = blobArtifact({ hash: bundle.sha256, size: bundle.size });
  const unpacked = importArchive({ name: "unpack", archive, what: "bundle" });
  return runStage(
    store,
    openBundle({ name: "open", tree: treeOf(unpacked, "tree"), expected: {}, requires: [], ...options }),
  );
};

describe("a bundle", () => {
  test("gives back what was put into it", async () => {
    const store = tempStore();
    const opened = await open(store, await tinyBundle(store, {}, { initrd: "an initrd" }));
    const text = (name: string) => store.blobs.readAll(opened[name]!).toString();
    expect(store.blobs.readAll(opened.image!)).toEqual(tinyBzImage());
    expect([text("config"), text("initrd"), text("release"), text("vmlinux")]).toEqual([
      CONFIG,
      "an initrd",
      RELEASE,
      "",
    ]);
    const files = (tree: FileTree) => tree.filter((one) => one.type === "file").map(({ path }) => path);
    expect(files(store.getTree(opened.modules as TreeArtifact))).toEqual(files(moduleTree(store)));
  });

  test("tells all packages of a toolchain", () => {
    const pins = Array.from({ length: 200 }, (_, i) => `package-${i} 1:2.40-2+deb12u${i}`).join(", ");
    const identity = { name: "generic", version: "1", arch: "x86_64" } as const;
    const text = encodeManifest({ ...identity, release: "6.12", features: [], provenance: { pins }, files: {} });
    expect(decodeManifest(Buffer.from(text), "bundle").provenance).toEqual({ pins });
  });

  test("says what the kernel can do, and what each file is", async () => {
    const store = tempStore();
    const { manifest } = await tinyBundle(store);
    expect(manifest).toMatchObject({
      name: "generic-6.12",
      version: RELEASE,
      arch: "x86_64",
      release: RELEASE,
      features: ["EFI_STUB", "EXT4_FS=m"],
    });
    expect(Object.keys(manifest.files)).toEqual([
      "bzImage",
      "config",
      `modules/${RELEASE}/kernel/fs/ext4.ko`,
      `modules/${RELEASE}/modules.dep`,
    ]);
  });

  test("has the same bytes in another store", async () => {
    expect((await tinyBundle(tempStore())).sha256).toBe((await tinyBundle(tempStore())).sha256);
  });

  test("is a tar.zst whose first member is the manifest, for GNU tar", async () => {
    const { local } = await tinyBundle(tempStore());
    needProgram("zstd", "zstd");
    const names = execFileSync(needProgram("tar", "tar"), ["--zstd", "-tf", local], { encoding: "utf8" }).split("\n");
    expect(names.slice(0, 2)).toEqual([MANIFEST, "bzImage"]);
  });

  test("is called by the version that is given, or else by the kernel's release", async () => {
    const store = tempStore();
    expect((await tinyBundle(store, { version: "7" })).manifest.version).toBe("7");
    expect((await tinyBundle(store)).manifest.version).toBe(RELEASE);
  });
});

describe("requires", () => {
  const refused = (requires: readonly string[]) => async () => {
    const store = tempStore();
    return open(store, await tinyBundle(store), { requires });
  };

  test("is met by y and m, or by just the value", async () => {
    await expect(refused(["EFI_STUB", "CONFIG_EXT4_FS", "EXT4_FS=m"])()).resolves.toBeDefined();
  });

  test("names everything that is lacking", async () => {
    await expect(refused(["EXT4_FS=y", "VIRTIO_BLK", "XFS_FS"])()).rejects.toMatchObject({
      code: "KERNEL_UNFIT",
      message: expect.stringMatching(/EXT4_FS=y \(has m\), VIRTIO_BLK \(has not set\), XFS_FS \(has not set\)/),
    });
  });
});

describe("refused", () => {
  /** A whole bundle's tree, changed as said. */
  const opening = async (change: (entries: TreeEntry[], store: Store) => TreeEntry[], options = {}) => {
    const store = tempStore();
    const bundle = await tinyBundle(store);
    const archive = blobArtifact({ hash: bundle.sha256, size: bundle.size });
    const { tree } = await runStage(store, importArchive({ name: "unpack", archive, what: "bundle" }));
    const changed = change([...store.getTree(tree as TreeArtifact)], store).sort((a, b) => (a.path < b.path ? -1 : 1));
    return runStage(
      store,
      openBundle({ name: "open", tree: store.putTree(changed), expected: {}, requires: [], ...options }),
    );
  };
  const replace =
    (path: string, entry: Partial<TreeEntry> | ((store: Store) => Partial<TreeEntry>)) =>
    (entries: TreeEntry[], store: Store) =>
      entries.map((one) =>
        one.path === path ? ({ ...one, ...(typeof entry === "function" ? entry(store) : entry) } as TreeEntry) : one,
      );
  const content = (bytes: string | Uint8Array) => (store: Store) => ({ content: store.blobs.put(bytes) });
  const add = (entry: object) => (entries: TreeEntry[]) => [
    ...entries,
    { mode: 0o644, uid: 0, gid: 0, ...entry } as TreeEntry,
  ];

  test.each([
    ["other bytes of the same size", replace("config", content(CONFIG.replace("y", "m"))), "DIGEST_MISMATCH", /config/],
    ["another size", replace("config", content("CONFIG_EVIL=y\n")), "SIZE_MISMATCH", /config/],
    ["a symbolic link", add({ type: "symlink", path: "x", target: "/etc/passwd" }), "PATH_UNSAFE", /symbolic link/],
    ["a device", add({ type: "block", path: "x", major: 8, minor: 0 }), "PATH_UNSAFE", /device/],
    ["a pipe", add({ type: "fifo", path: "x" }), "PATH_UNSAFE", /pipe/],
  ])("%s", async (_, change, code, message) => {
    await expect(opening(change)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test("a file that the manifest does not list", async () => {
    const extra = (entries: TreeEntry[], store: Store) =>
      add({ type: "file", path: "x", ...content("x")(store) })(entries);
    await expect(opening(extra)).rejects.toMatchObject({
      code: "FORMAT_INVALID",
      message: /\/x is not in the manifest/,
    });
  });

  test("a missing file, and a missing manifest", async () => {
    for (const path of ["bzImage", MANIFEST])
      await expect(opening((entries) => entries.filter((one) => one.path !== path))).rejects.toMatchObject({
        code: "FORMAT_INVALID",
      });
  });

  test("hard links", async () => {
    const linked = (entries: TreeEntry[]) =>
      entries.map((one) =>
        one.path.endsWith("ext4.ko") || one.path === "config" ? ({ ...one, link: 1 } as TreeEntry) : one,
      );
    const sameBytes = (entries: TreeEntry[], store: Store) =>
      linked(replace("config", content("ext4"))(entries, store)).map((one) =>
        one.type === "file" && one.link === 1 ? { ...one, content: store.blobs.put("ext4") } : one,
      );
    await expect(opening(sameBytes)).rejects.toMatchObject({ code: "PATH_UNSAFE", message: /hard link/ });
  });

  test("another architecture than asked for", async () => {
    await expect(opening((entries) => entries, { expected: { arch: "aarch64" } })).rejects.toMatchObject({
      code: "ARCH_MISMATCH",
    });
  });

  test("a kernel of another architecture than the manifest says", async () => {
    const store = tempStore();
    const bundle = await tinyBundle(store, {}, { image: tinyArm64Image() });
    await expect(open(store, bundle)).rejects.toMatchObject({ code: "ARCH_MISMATCH", message: /is for aarch64/ });
  });

  test("another name or version than the index says", async () => {
    for (const expected of [{ name: "other" }, { version: "1" }])
      await expect(opening((entries) => entries, { expected })).rejects.toMatchObject({ code: "FORMAT_INVALID" });
  });

  test("a manifest that is none, whatever it is", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => decodeManifest(Buffer.from(text), "x")).toThrow(
          expect.objectContaining({ name: "BootwrightError" }),
        );
      }),
    );
  });

  test("a manifest with any one member changed to something else", async () => {
    const store = tempStore();
    const { manifest } = await tinyBundle(store);
    const members = Object.keys(manifest);
    fc.assert(
      fc.property(
        fc.constantFrom(...members),
        fc.constantFrom(null, 7, "../x", [7], { "../x": 1 }),
        (member, value) => {
          const text = JSON.stringify({ schema: "bootwright.bundle/1", ...manifest, [member]: value });
          expect(() => decodeManifest(Buffer.from(text), "x")).toThrow(
            expect.objectContaining({ name: "BootwrightError" }),
          );
        },
      ),
    );
  });

  test("paths in a manifest that lead out of it", () => {
    const manifest = (path: string) =>
      Buffer.from(
        JSON.stringify({
          ...{ schema: "bootwright.bundle/1", name: "x", version: "1", arch: "x86_64", release: "1" },
          ...{ features: [], provenance: {}, files: { [path]: { sha256: "0".repeat(64), size: 0 } } },
        }),
      );
    expect(decodeManifest(manifest("bzImage"), "x").files).toHaveProperty("bzImage");
    for (const path of ["/bzImage", "../x", "a/../x", "", "a//b", MANIFEST])
      expect(() => decodeManifest(manifest(path), "x")).toThrow(expect.objectContaining({ name: "BootwrightError" }));
  });
});
