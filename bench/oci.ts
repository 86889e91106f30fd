/**
 * From a container image to a bootable disk: 650 MB in 57,000 files out of a local OCI layout, beside the tools that one would
 * join for it: skopeo copies the image, umoci unpacks it, mke2fs makes a file system. Theirs has no partition table, no loader,
 * and gives files to whoever runs it.
 */
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { digestOf } from "../src/base/digest.ts";
import { hashFile } from "../src/store/blobs.ts";
import type { Bench } from "./debian-root.ts";
import { makeTree } from "./ext4.ts";
import type { BenchRow } from "./formats.ts";

export interface MemoryBench extends Bench {
  /** Milliseconds, and the most memory that the run has taken, in MiB. */
  readonly measured: (project: string, ...words: string[]) => { readonly ms: number; readonly memory: number };
}

const config = (images: string) => `import { defineProject } from "bootwright";

export default defineProject({
  name: "oci",
  kernel: { from: "debian", package: "linux-image-cloud-amd64" },
  trees: { root: { from: [{ oci: "./layout" }] } },
  initramfs: { init: "busybox", root: true, modules: ["virtio_blk"] },
  images: {
    uki: { kind: "uki", cmdline: "root=PARTLABEL=root" },
    ${images}
  },
});
`;

const DISK = `disk: { kind: "disk", esp: ["uki"], espSize: "64MiB", tree: "root" },`;

export async function rows(bench: MemoryBench): Promise<BenchRow[]> {
  const project = bench.makeProject("oci", config(""));
  makeTree(project);
  writeLayout(project);
  bench.bootwright(project, "build"); // Kernel and initramfs: what both ways need.
  bench.writeFile(project, "bootwright.config.ts", config(DISK));
  const { ms: ours, memory } = bench.measured(project, "build", "disk");
  const theirs = timed(project, [
    ["skopeo", "copy", "--quiet", "oci:layout:latest", "oci:theirs:latest"],
    ["umoci", "unpack", "--rootless", "--image", "theirs:latest", "bundle"],
    ["mke2fs", "-q", "-t", "ext4", "-d", "bundle/rootfs", "theirs.img", "1000M"],
  ]);
  return [
    {
      ...{ name: "OCI layout → bootable disk", ours, theirs, unit: "ms" },
      note: "bar 10000; 57000 files, 650 MB, one gzip layer; theirs: skopeo, umoci unpack, mke2fs -d",
    },
    { name: "OCI layout → bootable disk, peak memory", ours: memory, unit: "MiB", note: "bar 400" },
  ];
}

function writeLayout(project: string): void {
  const blobs = path.join(project, "layout/blobs/sha256");
  fs.mkdirSync(blobs, { recursive: true });
  const tar = path.join(project, "layer.tar");
  run(project, ["tar", "--create", "--file", tar, "--directory", path.join(project, "tree"), "--sort=name", "."]);
  const diffId = hashFile(tar).hash;
  run(project, ["gzip", "-1", "--no-name", tar]);
  const layer = hashFile(`${tar}.gz`);
  fs.renameSync(`${tar}.gz`, path.join(blobs, layer.hash));
  const put = (document: object) => {
    const text = JSON.stringify(document);
    const { hash, size } = digestOf(text);
    fs.writeFileSync(path.join(blobs, hash), text);
    return { digest: `sha256:${hash}`, size };
  };
  const image = put({
    ...{ architecture: "amd64", os: "linux", config: {} },
    rootfs: { type: "layers", diff_ids: [`sha256:${diffId}`] },
  });
  const manifest = put({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...image },
    layers: [
      { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: `sha256:${layer.hash}`, size: layer.size },
    ],
  });
  const named = { "org.opencontainers.image.ref.name": "latest" };
  const index = {
    schemaVersion: 2,
    manifests: [{ mediaType: "application/vnd.oci.image.manifest.v1+json", ...manifest, annotations: named }],
  };
  fs.writeFileSync(path.join(project, "layout/index.json"), JSON.stringify(index));
  fs.writeFileSync(path.join(project, "layout/oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
}

function timed(project: string, commands: readonly (readonly string[])[]): number {
  const began = performance.now();
  for (const argv of commands) run(project, argv);
  return performance.now() - began;
}

function run(cwd: string, argv: readonly string[]): void {
  const { status, stderr, error } = spawnSync(argv[0]!, argv.slice(1), { cwd, encoding: "utf8" });
  if (status !== 0) throw error ?? new Error(`${argv.join(" ")} ended with ${status}\n${stderr}`);
}
