/**
 * The stage that writes trees as a container image: an OCI image layout, the same bytes for the same trees. Each tree is one
 * layer; trees for several architectures are images of one index.
 */
import { type Digest, DigestCounter } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { compress } from "../formats/compress.ts";
import { baseName, type FileTree, type TreeEntry } from "../formats/filetree.ts";
import { encodeOciDocument, OCI_TYPES, ociBlobPath, REF_NAME } from "../formats/oci.ts";
import { WHITEOUT } from "../formats/oci-layers.ts";
import { encodeTar } from "../formats/tar-writer.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";

export interface OciStageOptions {
  readonly name: string;
  /** One for each architecture. */
  readonly images: readonly { readonly tree: TreeInput; readonly architecture: Architecture }[];
  readonly tag: string;
  /** Seconds since the epoch: when the image says it was made, and the time of entries without their own. */
  readonly epoch: number;
  readonly config: OciRunConfig;
}

/** Go's name. */
type Architecture = "amd64" | "arm64";

/** What a container starts. */
export interface OciRunConfig {
  readonly entrypoint?: readonly string[] | undefined;
  readonly cmd?: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
}

/** `tree` is the layout directory. Throws UNSUPPORTED for sockets, and for names that a layer would read as whiteouts. */
export function ociStage(options: OciStageOptions): Stage<{ trees: readonly TreeInput[] }, { tree: TreeArtifact }> {
  const { name, images, tag, epoch, config } = options;
  const run = runConfig(config);
  const architectures = images.map(({ architecture }) => architecture);
  return defineStage({
    name,
    kind: "oci",
    version: 2,
    inputs: { trees: images.map(({ tree }) => tree) },
    params: { architectures, tag, epoch, config: run },
    outputs: ["tree"],
    run: async ({ inputs, store, progress, signal }) => {
      const trees = inputs.trees.map((tree) => store.getTree(tree));
      for (const entries of trees) refuseWhiteouts(name, entries);
      const packing = new Packing(trees, { progress, signal });
      const blobs = new Map<string, Blob>();
      const put = (document: Json): Blob => store.blobs.put(encodeOciDocument(document));
      const keep = (blob: Blob): Blob => {
        blobs.set(ociBlobPath(blob), blob);
        return blob;
      };
      // Side by side: compressing takes nearly all of the time, and a processor each.
      const layers = await Promise.all(trees.map((entries) => writeLayer(entries, { store, epoch, packing })));
      const manifests = layers.map((layer, i) => {
        const architecture = architectures[i]!;
        const configBlob = keep(put(imageConfig({ architecture, diffId: layer.diffId, epoch, run })));
        const manifest = keep(put(imageManifest(configBlob, keep(layer))));
        return { ...descriptor(OCI_TYPES.manifest, manifest), platform: { architecture, os: "linux" } };
      });
      // A name leads to one thing: to the only image, or to an index of them all.
      const named =
        manifests.length === 1 ? manifests[0] : descriptor(OCI_TYPES.index, keep(put(imageIndex(manifests))));
      const index = put(imageIndex([{ ...named, annotations: { [REF_NAME]: tag } }]));
      const layout: TreeEntry[] = [
        ...["", "blobs", "blobs/sha256"].map(directory),
        ...[...blobs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, content]) => file(path, content)),
        file("index.json", index),
        file("oci-layout", put({ imageLayoutVersion: "1.0.0" })),
      ];
      return { tree: store.putTree(layout) };
    },
  });
}

type Blob = Pick<Digest, "hash" | "size">;

function imageConfig(image: { architecture: Architecture; diffId: string; epoch: number; run: Json }): Json {
  const created = `${new Date(image.epoch * 1000).toISOString().slice(0, 19)}Z`;
  return {
    created,
    architecture: image.architecture,
    os: "linux",
    config: image.run,
    rootfs: { type: "layers", diff_ids: [`sha256:${image.diffId}`] },
    history: [{ created, created_by: "bootwright" }],
  };
}

const imageManifest = (config: Blob, layer: Blob): Json => ({
  schemaVersion: 2,
  mediaType: OCI_TYPES.manifest,
  config: descriptor(OCI_TYPES.config, config),
  layers: [descriptor(OCI_TYPES.gzipLayer, layer)],
});

const imageIndex = (manifests: readonly Json[]): Json => ({
  schemaVersion: 2,
  mediaType: OCI_TYPES.index,
  manifests,
});

/** How far the layers are, all together. */
class Packing {
  readonly signal: AbortSignal;
  readonly #progress: (done: number, options: object) => void;
  readonly #total: number;
  readonly #done = new Map<FileTree, number>();

  constructor(
    trees: readonly FileTree[],
    { progress, signal }: { progress: (done: number, options: object) => void; signal: AbortSignal },
  ) {
    this.signal = signal;
    this.#progress = progress;
    this.#total = trees.reduce((sum, entries) => sum + contentSize(entries), 0);
  }

  /** A tar is a little larger than its files. */
  show(done: number, of: FileTree): void {
    this.#done.set(of, done);
    const sum = [...this.#done.values()].reduce((all, one) => all + one, 0);
    this.#progress(Math.min(sum, this.#total), { total: this.#total, what: "packing" });
  }
}

const contentSize = (entries: FileTree): number =>
  entries.reduce((sum, entry) => sum + (entry.type === "file" ? entry.content.size : 0), 0);

/** The compressed tar as a blob; `diffId` is the digest of what is in it. */
async function writeLayer(
  entries: FileTree,
  { store, epoch, packing }: { store: Store; epoch: number; packing: Packing },
): Promise<Blob & { diffId: string }> {
  const counter = new DigestCounter();
  const reader = store.reader();
  const counted = function* () {
    for (const chunk of encodeTar(entries, { read: reader.read, mtime: epoch })) {
      packing.signal.throwIfAborted();
      counter.update(chunk);
      packing.show(counter.size, entries);
      yield chunk;
    }
  };
  try {
    const digest = await store.blobs.putStream(compress(counted(), { kind: "gzip", level: 6 }));
    return { ...digest, diffId: counter.digest().hash };
  } finally {
    reader.close();
  }
}

function refuseWhiteouts(name: string, entries: FileTree): void {
  const bad = entries.find(({ path }) => baseName(path).startsWith(WHITEOUT));
  if (bad !== undefined)
    throw new BootwrightError("UNSUPPORTED", `${name}: a container image cannot hold a file named /${bad.path}`, {
      hint: "in a layer such a name removes a file",
    });
}

/** In the image config's words; what is not set is not written. */
function runConfig({ entrypoint, cmd, env, user, workdir, labels }: OciRunConfig): Json {
  const variables = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  return {
    ...(entrypoint !== undefined && { Entrypoint: entrypoint }),
    ...(cmd !== undefined && { Cmd: cmd }),
    ...(variables.length > 0 && { Env: variables.sort() }),
    ...(user !== undefined && { User: user }),
    ...(workdir !== undefined && { WorkingDir: workdir }),
    ...(Object.keys(labels).length > 0 && { Labels: labels }),
  };
}

const descriptor = (mediaType: string, { hash, size }: { hash: string; size: number }) => ({
  mediaType,
  digest: `sha256:${hash}`,
  size,
});

const directory = (path: string): TreeEntry => ({ type: "directory", path, mode: 0o755, uid: 0, gid: 0 });

const file = (path: string, content: { hash: string; size: number }): TreeEntry => ({
  type: "file",
  path,
  mode: 0o644,
  uid: 0,
  gid: 0,
  content,
});
