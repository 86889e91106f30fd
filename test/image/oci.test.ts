/** Container images: what we write is read by skopeo and umoci; what umoci writes becomes the tree that umoci unpacks. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { planProject } from "../../src/api/project.ts";
import { digestOf } from "../../src/base/digest.ts";
import { silent } from "../../src/base/events.ts";
import type { FileTree, TreeEntry } from "../../src/formats/filetree.ts";
import { importArchive } from "../../src/source/import-archive.ts";
import { runStages } from "../../src/stage/scheduler.ts";
import { blobArtifact, type TreeArtifact } from "../../src/store/artifact.ts";
import { hashFile } from "../../src/store/blobs.ts";
import type { Store } from "../../src/store/store.ts";
import { needProgram } from "../support/need-program.ts";
import { dir, file, layerTar, linkTar, symlink, writeLayout } from "../support/oci-layout.ts";
import { tempDir, tempStore } from "../support/temp-store.ts";
import { buildProject, temporaryDir, withProject, writeProject } from "../support/test-session.ts";

const isRoot = process.getuid!() === 0;
const umoci = (...args: string[]) =>
  execFileSync(needProgram("umoci", "umoci"), args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const skopeo = (...args: string[]) =>
  execFileSync(needProgram("skopeo", "skopeo"), ["--insecure-policy", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });

/** A tar as a tree with its contents, without what a directory on the host cannot keep the same: times. */
async function readTarTree(tar: string, store: Store = tempStore()): Promise<Seen[]> {
  const archive = blobArtifact(await store.blobs.putStream(fs.createReadStream(tar)));
  const stage = importArchive({ name: "read", archive, what: "tar" });
  const report = await runStages([stage], { store, emit: silent, signal: new AbortController().signal, project: "p" });
  return seen(store.getTree(report.output(stage, "tree") as TreeArtifact), store);
}

type Seen = Omit<TreeEntry, "mtime" | "content" | "xattrs"> & { content?: string; xattrs?: string[] };

const seen = (tree: FileTree, store: Store): Seen[] =>
  tree.map((entry) => {
    const { mtime: _, xattrs, ...rest } = entry;
    return {
      ...rest,
      ...(xattrs && { xattrs: xattrs.map(({ name, value }) => `${name}=${Buffer.from(value).toString("hex")}`) }),
      ...(entry.type === "file" && { content: store.readContent(entry.content).toString() }),
    } as Seen;
  });

/** A directory as GNU tar reads it. */
function readDirectory(root: string): Promise<Seen[]> {
  const tar = path.join(tempDir(), "root.tar");
  execFileSync(needProgram("tar", "tar"), [
    ...["--create", "--file", tar, "--directory", root, "--format=pax", "--numeric-owner", "--sort=name"],
    ...["--xattrs", "--xattrs-include=*", "."],
  ]);
  return readTarTree(tar);
}

/** What an ordinary user can unpack: no owners, no devices (umoci makes them empty files), no attributes of the system. */
const rootless = (entries: readonly Seen[]) =>
  entries
    .filter(({ type }) => type !== "char" && type !== "block")
    .map(({ uid: _u, gid: _g, xattrs: _x, ...rest }) => rest);

/** Builds a project whose one tree comes from `layout`, as a tar; gives its entries. */
async function treeOf(layout: string, { tag, storeDir }: { tag?: string; storeDir?: string } = {}): Promise<Seen[]> {
  const origin = `{ oci: ${JSON.stringify(layout)}${tag === undefined ? "" : `, tag: ${JSON.stringify(tag)}`} }`;
  const project = writeProject(`
name: back
trees: { root: { from: [${origin}] } }
images: { back: { kind: tar, tree: root, compress: none } }
`);
  const built = await buildProject(project, { storeDir: storeDir ?? temporaryDir() });
  return readTarTree(built.back!);
}

const paths = (entries: readonly Seen[]) => entries.map((entry) => entry.path).slice(1);

describe("an image that we write", () => {
  const CONFIG = `
name: app
epoch: 1000000000
trees:
  root:
    from: [{ dir: ./root }]
    files:
      /dev/console: { device: "c 5 1" }
      /usr/bin/ping: { content: "x", mode: "4755" }
      /tmp: { directory: true, mode: "1777" }
      /etc/mtab: { symlink: ../proc/self/mounts }
    users: { admin: { uid: 1000 } }
images:
  app:
    kind: oci
    tree: root
    tag: "1.2"
    config:
      entrypoint: [/usr/bin/ping, -v]
      cmd: [localhost]
      env: { PATH: /usr/bin, A: "b=c" }
      user: "1000:1000"
      workdir: /home/admin
      labels: { org.example.team: base }
  tar: { kind: tar, tree: root, compress: none }
`;
  const FILES = { "root/etc/häßlich": "ä\n", "root/empty": "" };

  test("is read by skopeo, and unpacked by umoci to the tree's files", async () => {
    const built = await buildProject(writeProject(CONFIG, FILES));
    const inspected = JSON.parse(skopeo("inspect", "--config", `oci:${built.app}:1.2`));
    expect(inspected).toMatchObject({
      created: "2001-09-09T01:46:40Z",
      architecture: "amd64",
      os: "linux",
      config: {
        Entrypoint: ["/usr/bin/ping", "-v"],
        Cmd: ["localhost"],
        Env: ["A=b=c", "PATH=/usr/bin"],
        User: "1000:1000",
        WorkingDir: "/home/admin",
        Labels: { "org.example.team": "base" },
      },
    });
    // Reading the whole image, skopeo checks every digest, the diff_id too.
    const copy = path.join(tempDir(), "copy");
    skopeo("copy", `oci:${built.app}:1.2`, `docker-archive:${copy}.tar:app:1.2`);
    const bundle = path.join(tempDir(), "bundle");
    umoci("unpack", ...(isRoot ? [] : ["--rootless"]), "--image", `${built.app}:1.2`, bundle);
    const [unpacked, tree] = [await readDirectory(path.join(bundle, "rootfs")), await readTarTree(built.tar!)];
    if (isRoot) expect(unpacked).toEqual(tree);
    else expect(rootless(unpacked).filter(({ path }) => path !== "dev/console")).toEqual(rootless(tree));
    expect(await treeOf(built.app!)).toEqual(tree);
  });

  test("has the same bytes from another directory and store", async () => {
    const digests = async () => {
      const built = await buildProject(writeProject(CONFIG, FILES), { storeDir: temporaryDir() });
      return fs
        .readdirSync(built.app!, { recursive: true, encoding: "utf8" })
        .filter((name) => fs.statSync(path.join(built.app!, name)).isFile())
        .sort()
        .map((name) => [name, hashFile(path.join(built.app!, name)).hash]);
    };
    const first = await digests();
    expect(first).toHaveLength(5);
    for (const [name, hash] of first) if (name!.startsWith("blobs/")) expect(path.basename(name!)).toBe(hash);
    expect(await digests()).toEqual(first);
  });

  test("of trees for several architectures is an index of an image each, which others and we choose from", async () => {
    const dir = writeProject(
      `
name: two
trees:
  shared: { from: [{ dir: ./root }] }
  x64: { from: [{ tree: shared }], files: { /arch: x64 } }
  arm64: { from: [{ tree: shared }], files: { /arch: arm64 } }
images:
  two: { kind: oci, tree: { x86_64: x64, aarch64: arm64 }, config: { user: "7" } }
  one: { kind: oci, tree: { aarch64: shared } }
`,
      FILES,
    );
    const built = await buildProject(dir);
    for (const architecture of ["amd64", "arm64"]) {
      const chosen = ["--override-os", "linux", "--override-arch", architecture];
      const inspected = JSON.parse(skopeo(...chosen, "inspect", "--config", `oci:${built.two}:latest`));
      expect(inspected).toMatchObject({ architecture, config: { User: "7" } });
      const layout = path.join(tempDir(), "layout");
      skopeo(...chosen, "copy", `oci:${built.two}:latest`, `oci:${layout}:it`);
      const bundle = path.join(tempDir(), "bundle");
      umoci("unpack", ...(isRoot ? [] : ["--rootless"]), "--image", `${layout}:it`, bundle);
      expect(fs.readFileSync(path.join(bundle, "rootfs/arch"), "utf8")).toBe(architecture.replace("amd", "x"));
      expect(fs.existsSync(path.join(bundle, "rootfs/etc/häßlich"))).toBe(true);
    }
    // Reading the whole of both, skopeo checks every digest.
    skopeo("copy", "--all", `oci:${built.two}:latest`, `oci:${path.join(tempDir(), "all")}:it`);
    expect(paths(await treeOf(built.two!))).toEqual(["arch", "empty", "etc", "etc/häßlich"]);
    expect(JSON.parse(skopeo("inspect", "--config", `oci:${built.one}:latest`)).architecture).toBe("arm64");
  });

  test("for another architecture cannot hold what is for the project's", async () => {
    const project = (from: string) =>
      writeProject(`
name: x
kernel: { from: debian, package: linux-image-cloud-amd64 }
trees: { inner: { from: [${from}] }, t: { from: [{ tree: inner }] } }
images: { i: { kind: oci, tree: { x86_64: t, aarch64: t } } }
`);
    await expect(buildProject(project('{ modules: "all" }'))).rejects.toThrow(
      'images.i.tree.aarch64: the tree "t" holds kernel modules, which are for x86_64',
    );
    const empty = writeProject("name: x\nimages: { i: { kind: oci, tree: {} } }\n");
    await expect(buildProject(empty)).rejects.toThrow("expected at least one architecture");
  });

  test("cannot hold a file that would be a whiteout", async () => {
    const project = writeProject(
      'name: x\ntrees: { t: { files: { /a/.wh.b: "" } } }\nimages: { i: { kind: oci, tree: t } }',
    );
    await expect(buildProject(project)).rejects.toThrow("cannot hold a file named /a/.wh.b");
  });
});

describe("an image that umoci writes", () => {
  const BASE = [
    dir("", { mode: 0o755 }),
    dir("etc"),
    file("etc/passwd", "root\n"),
    file("etc/gone", "1"),
    dir("opaque", { mode: 0o750, uid: 7, gid: 8 }),
    file("opaque/old", "1"),
    dir("opaque/deep"),
    file("opaque/deep/old", "1"),
    dir("usr"),
    dir("usr/bin"),
    file("usr/bin/ping", "ping", {
      // CAP_NET_RAW, as setcap(8) writes it.
      xattrs: [{ name: "security.capability", value: Buffer.from("0100000200200000000000000000000000000000", "hex") }],
      mode: 0o755,
    }),
    file("usr/bin/su", "su", { mode: 0o4755 }),
    file("usr/bin/write", "write", { mode: 0o2755, gid: 5 }),
    file("usr/bin/one", "linked", { link: 1, uid: 1000 }),
    file("usr/bin/two", "linked", { link: 1, uid: 1000 }),
    symlink("bin", "usr/bin"),
    symlink("var", "usr"),
    dir("swap"),
    file("swap/a", "1"),
    file("ugly-\udcff", "1"),
    { type: "char", path: "null", mode: 0o666, uid: 0, gid: 0, major: 1, minor: 3 },
    { type: "block", path: "sda", mode: 0o660, uid: 0, gid: 6, major: 8, minor: 0 },
    { type: "fifo", path: "pipe", mode: 0o600, uid: 0, gid: 0 },
  ] satisfies TreeEntry[];

  test("becomes the tree that umoci unpacks", async () => {
    const work = tempDir();
    const layout = path.join(work, "layout");
    const image = `${layout}:latest`;
    const mine = isRoot ? [] : ["--rootless"];
    const add = (bytes: Uint8Array) => {
      fs.writeFileSync(path.join(work, "layer.tar"), bytes);
      umoci("raw", "add-layer", "--image", image, path.join(work, "layer.tar"));
    };
    umoci("init", "--layout", layout);
    umoci("new", "--image", image);
    add(layerTar(...BASE));
    // Links to files of the layer below, one of which is written anew in a layer above.
    add(linkTar("usr/su-link", "usr/bin/su"));
    add(linkTar("usr/bin/three", "usr/bin/two"));
    add(layerTar(file("usr/bin/one", "no longer linked")));
    // Directories take the later layer's mode; a link gives way to a directory; names pass through links.
    add(layerTar(dir("etc", { mode: 0o700, uid: 3 }), dir("var"), dir("var/log"), file("bin/through", "1")));
    // umoci's own whiteouts: what is gone from a bundle, and a directory that became a file.
    const bundle = path.join(work, "bundle");
    umoci("unpack", ...mine, "--image", image, bundle);
    fs.rmSync(path.join(bundle, "rootfs/etc/gone"));
    fs.rmSync(path.join(bundle, "rootfs/swap"), { recursive: true });
    fs.writeFileSync(path.join(bundle, "rootfs/swap"), "a file now");
    fs.writeFileSync(path.join(bundle, "rootfs/added"), "added");
    umoci("repack", "--image", image, bundle);
    fs.mkdirSync(path.join(work, "new"));
    fs.writeFileSync(path.join(work, "new/fresh"), "fresh");
    umoci("insert", ...mine, "--image", image, "--opaque", path.join(work, "new"), "/opaque");
    umoci("insert", "--image", image, "--whiteout", "/usr/bin/write");

    const result = path.join(work, "result");
    umoci("unpack", ...mine, "--image", image, result);
    const [expected, got] = [await readDirectory(path.join(result, "rootfs")), await treeOf(layout)];
    expect(paths(got)).toEqual(
      expect.arrayContaining(["usr/su-link", "usr/bin/three", "added", "opaque/fresh", "swap"]),
    );
    expect(paths(got)).not.toEqual(expect.arrayContaining(["opaque/old"]));
    if (isRoot) expect(got).toEqual(expected);
    else {
      const devices = new Set(["null", "sda"]);
      expect(rootless(got)).toEqual(rootless(expected).filter((entry) => !devices.has(entry.path)));
    }
  });
});

describe("a layout", () => {
  const one = () => layerTar(dir("d"), file("d/a", "1"));
  const two = () => layerTar(file("d/.wh.a", ""), file("d/b", "2"));

  test("is a directory or a tar of one, with layers plain, in gzip and in zstd", async () => {
    const layout = tempDir();
    const [a, b, c] = [one(), two(), layerTar(file("c", "3"))];
    const of = (bytes: Buffer) => ({ diffId: digestOf(bytes).hash });
    writeLayout(layout, [
      {
        layers: [
          { bytes: a },
          { bytes: gzipSync(b), type: "+gzip", ...of(b) },
          { bytes: zstdCompressSync(c), type: "+zstd", ...of(c) },
        ],
      },
    ]);
    const fromDirectory = await treeOf(layout);
    expect(paths(fromDirectory)).toEqual(["c", "d", "d/b"]);
    const tar = path.join(tempDir(), "image.tar");
    execFileSync(needProgram("tar", "tar"), ["-cf", tar, "-C", layout, "."]);
    expect(await treeOf(tar)).toEqual(fromDirectory);
    fs.writeFileSync(tar, gzipSync(fs.readFileSync(tar)));
    await expect(treeOf(tar)).rejects.toMatchObject({
      code: "UNSUPPORTED",
      hint: expect.stringContaining("decompress"),
    });
  });

  test("that skopeo writes as an archive has the same tree", async () => {
    const layout = tempDir();
    writeLayout(layout, [{ layers: [{ bytes: one() }, { bytes: two() }], tag: "a" }]);
    const archive = path.join(tempDir(), "archive.tar");
    skopeo("copy", `oci:${layout}:a`, `oci-archive:${archive}:a`);
    expect(await treeOf(archive)).toEqual(await treeOf(layout));
  });

  test("may have an index in its index, with attestations, as docker save writes it", async () => {
    const layout = tempDir();
    writeLayout(layout, [
      { layers: [{ bytes: one() }] },
      { layers: [], platform: { os: "unknown", architecture: "unknown" } },
    ]);
    const index = path.join(layout, "index.json");
    const inner = fs.readFileSync(index);
    const { hash, size } = digestOf(inner);
    fs.writeFileSync(path.join(layout, "blobs/sha256", hash), inner);
    const mediaType = "application/vnd.oci.image.index.v1+json";
    const outer = (digest: string) =>
      fs.writeFileSync(index, JSON.stringify({ schemaVersion: 2, manifests: [{ mediaType, digest, size }] }));
    outer(`sha256:${hash}`);
    expect(paths(await treeOf(layout))).toEqual(["d", "d/a"]);
    fs.appendFileSync(path.join(layout, "blobs/sha256", hash), " ");
    await expect(treeOf(layout)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    outer(`sha256:${"0".repeat(64)}`);
    await expect(treeOf(layout)).rejects.toMatchObject({ code: "PATH_MISSING" });
  });

  test("of several images needs a name, and knows platforms", async () => {
    const layout = tempDir();
    const arm64 = { os: "linux", architecture: "arm64" };
    const images = (["a", "b"] as const).map((tag) => ({ layers: [{ bytes: layerTar(file(tag, "1")) }], tag }));
    writeLayout(layout, [...images, { layers: [{ bytes: one() }], tag: "arm", platform: arm64, quiet: true }]);
    expect(paths(await treeOf(layout, { tag: "b" }))).toEqual(["b"]);
    await expect(treeOf(layout)).rejects.toMatchObject({
      code: "NAME_UNKNOWN",
      hint: "name one with `tag`: a, b, arm",
    });
    await expect(treeOf(layout, { tag: "c" })).rejects.toThrow('has no image named "c"');
    await expect(treeOf(layout, { tag: "arm" })).rejects.toThrow("no image for linux/amd64; there is linux/arm64");
  });

  test("whose layer is another, or missing, or unpacks to other bytes, is refused; only what the manifest names is read", async () => {
    const layout = tempDir();
    const [hash] = writeLayout(layout, [{ layers: [{ bytes: one() }] }]);
    const blob = path.join(layout, "blobs/sha256", hash!);
    fs.writeFileSync(path.join(layout, "blobs/sha256/unrelated"), "x");
    fs.mkdirSync(path.join(layout, "blobs/sha256", "0".repeat(64)));
    expect(paths(await treeOf(layout))).toEqual(["d", "d/a"]);
    const bytes = fs.readFileSync(blob);
    bytes[520] = 1;
    fs.writeFileSync(blob, bytes);
    await expect(treeOf(layout)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    fs.rmSync(blob);
    await expect(treeOf(layout)).rejects.toThrow(`the layout does not hold blobs/sha256/${hash}`);

    const liar = tempDir();
    writeLayout(liar, [{ layers: [{ bytes: one(), diffId: "b".repeat(64) }] }]);
    await expect(treeOf(liar)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    await expect(treeOf(temporaryDir())).rejects.toThrow("is no OCI image layout");
  });

  test("whose manifest or config is another is refused", async () => {
    for (const which of [1, 2]) {
      const layout = tempDir();
      const hash = writeLayout(layout, [{ layers: [{ bytes: one() }] }])[which]!;
      fs.appendFileSync(path.join(layout, "blobs/sha256", hash), " ");
      await expect(treeOf(layout)).rejects.toMatchObject({ code: "DIGEST_MISMATCH" });
    }
  });

  test("shares its layers with other images; a new index is a new image, and is watched", async () => {
    const layout = tempDir();
    const layers = [{ bytes: one() }, { bytes: two() }];
    writeLayout(layout, [
      { layers: layers.slice(0, 1), tag: "one" },
      { layers, tag: "two" },
    ]);
    const origin = (tag: string) => `{ from: [{ oci: ${JSON.stringify(layout)}, tag: ${tag} }] }`;
    const project = writeProject(`
name: shared
trees: { one: ${origin("one")}, two: ${origin("two")} }
images: { one: { kind: tar, tree: one }, two: { kind: tar, tree: two } }
`);
    const planned = () =>
      withProject(project, { storeDir: temporaryDir() }, async (opened) => {
        const { images, ctx } = planProject(opened, { images: [] });
        const stages = new Set<string>();
        const visit = (stage: (typeof images)[number]["output"]["stage"]): void => {
          stages.add(stage.name);
          for (const input of Object.values(stage.inputs).flat())
            if (input !== undefined && "stage" in input) visit(input.stage);
        };
        for (const { output } of images) visit(output.stage);
        return { stages: [...stages], watched: [...ctx.locals.values()].map(({ snapshot }) => snapshot.root) };
      });
    const before = await planned();
    expect(before.stages.filter((name) => name.startsWith("unpack:layer:"))).toHaveLength(2);
    expect(before.watched).toEqual([path.join(layout, "index.json")]);
    writeLayout(layout, [
      { layers: [...layers, { bytes: layerTar(file("e", "1")) }], tag: "one" },
      { layers, tag: "two" },
    ]);
    expect((await planned()).stages.filter((name) => name.startsWith("unpack:layer:"))).toHaveLength(3);
  });
});
