/** OCI image layouts out of layers that a test spells out; and what is wrong with them, where a test wants that. */
import fs from "node:fs";
import path from "node:path";
import { concatBytes } from "../../src/base/bytes.ts";
import { digestOf } from "../../src/base/digest.ts";
import type { FileTree, TreeEntry } from "../../src/formats/filetree.ts";
import { encodeTar } from "../../src/formats/tar-writer.ts";

const contents = new Map<string, Buffer>();
const own = { uid: 0, gid: 0, mtime: 0 };

export function file(at: string, text: string, more: object = {}): TreeEntry {
  contents.set(digestOf(text).hash, Buffer.from(text));
  return { type: "file", path: at, mode: 0o644, ...own, content: digestOf(text), ...more };
}
export const dir = (at: string, more: object = {}): TreeEntry => ({
  type: "directory",
  path: at,
  mode: 0o755,
  ...own,
  ...more,
});
export const symlink = (at: string, target: string): TreeEntry => ({
  type: "symlink",
  path: at,
  mode: 0o777,
  ...own,
  target,
});

/** A layer's tar. */
export const layerTar = (...entries: readonly TreeEntry[]): Buffer =>
  concatBytes([...encodeTar(sorted(entries), { read: ({ hash }) => [contents.get(hash)!], mtime: 0 })]);

/** A layer whose one member is a hard link to a name that the layer does not have. */
export function linkTar(at: string, target: string): Buffer {
  const [first, second] = [file(target, "", { link: 1 }), file(at, "", { link: 1 })];
  const bytes = concatBytes([...encodeTar([first, second], { read: () => [], mtime: 0 })]);
  return bytes.subarray(512); // Without the header of the first, which is empty.
}

const sorted = (entries: FileTree): FileTree => [...entries].sort((a, b) => (a.path < b.path ? -1 : 1));

export interface LayoutImage {
  /** As they are stored; default media type is that of an uncompressed tar. */
  readonly layers: readonly { readonly bytes: Uint8Array; readonly type?: string; readonly diffId?: string }[];
  readonly tag?: string;
  readonly platform?: { readonly os: string; readonly architecture: string; readonly variant?: string };
  /** Leave the platform to the image's config. */
  readonly quiet?: boolean;
}

/** Writes a layout; gives the blobs' digests, the layers' first. */
export function writeLayout(root: string, images: readonly LayoutImage[]): string[] {
  const blobs = path.join(root, "blobs/sha256");
  fs.mkdirSync(blobs, { recursive: true });
  const put = (mediaType: string, bytes: Uint8Array | string) => {
    const { hash, size } = digestOf(bytes);
    fs.writeFileSync(path.join(blobs, hash), bytes);
    return { mediaType, digest: `sha256:${hash}`, size };
  };
  const hashes: string[] = [];
  const manifests = images.map(({ layers, tag, platform = { os: "linux", architecture: "amd64" }, quiet }) => {
    const stored = layers.map(({ bytes, type = "" }) => put(`application/vnd.oci.image.layer.v1.tar${type}`, bytes));
    hashes.push(...stored.map(({ digest }) => digest.slice(7)));
    const diffIds = layers.map(({ bytes, diffId }) => `sha256:${diffId ?? digestOf(bytes).hash}`);
    const config = put(
      "application/vnd.oci.image.config.v1+json",
      JSON.stringify({ ...platform, rootfs: { type: "layers", diff_ids: diffIds } }),
    );
    const manifest = put(
      "application/vnd.oci.image.manifest.v1+json",
      JSON.stringify({ schemaVersion: 2, config, layers: stored }),
    );
    hashes.push(config.digest.slice(7), manifest.digest.slice(7));
    const annotations = tag === undefined ? undefined : { "org.opencontainers.image.ref.name": tag };
    return { ...manifest, ...(!quiet && { platform }), annotations };
  });
  fs.writeFileSync(path.join(root, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  fs.writeFileSync(path.join(root, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  return hashes;
}
