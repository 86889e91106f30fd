/** The stage that writes a tree as a container image: an OCI image layout of one layer, the same bytes for the same tree. */
import { DigestCounter } from "../base/digest.ts";
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
  readonly tree: TreeInput;
  /** Go's name. */
  readonly architecture: "amd64" | "arm64";
  readonly tag: string;
  /** Seconds since the epoch: when the image says it was made, and the time of entries without their own. */
  readonly epoch: number;
  readonly config: OciRunConfig;
}

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
export function ociStage(options: OciStageOptions): Stage<{ tree: TreeInput }, { tree: TreeArtifact }> {
  const { name, tree, architecture, tag, epoch, config } = options;
  const run = runConfig(config);
  return defineStage({
    name,
    kind: "oci",
    version: 1,
    inputs: { tree },
    params: { architecture, tag, epoch, config: run },
    outputs: ["tree"],
    run: async ({ inputs, store, progress, signal }) => {
      const entries = store.getTree(inputs.tree);
      refuseWhiteouts(name, entries);
      const layer = await writeLayer(entries, { store, epoch, signal, progress });
      const created = `${new Date(epoch * 1000).toISOString().slice(0, 19)}Z`;
      const put = (document: Json) => store.blobs.put(encodeOciDocument(document));
      const configBlob = put({
        created,
        architecture,
        os: "linux",
        config: run,
        rootfs: { type: "layers", diff_ids: [`sha256:${layer.diffId}`] },
        history: [{ created, created_by: "bootwright" }],
      });
      const manifest = put({
        schemaVersion: 2,
        mediaType: OCI_TYPES.manifest,
        config: descriptor(OCI_TYPES.config, configBlob),
        layers: [descriptor(OCI_TYPES.gzipLayer, layer)],
      });
      const index = put({
        schemaVersion: 2,
        mediaType: OCI_TYPES.index,
        manifests: [
          {
            ...descriptor(OCI_TYPES.manifest, manifest),
            platform: { architecture, os: "linux" },
            annotations: { [REF_NAME]: tag },
          },
        ],
      });
      const files = new Map(
        [layer, configBlob, manifest].map(({ hash, size }) => [ociBlobPath({ hash }), { hash, size }]),
      );
      const layout: TreeEntry[] = [
        ...["", "blobs", "blobs/sha256"].map(directory),
        ...[...files].sort(([a], [b]) => (a < b ? -1 : 1)).map(([path, content]) => file(path, content)),
        file("index.json", index),
        file("oci-layout", put({ imageLayoutVersion: "1.0.0" })),
      ];
      return { tree: store.putTree(layout) };
    },
  });
}

/** The compressed tar as a blob; `diffId` is the digest of what is in it. */
async function writeLayer(
  entries: FileTree,
  {
    store,
    epoch,
    signal,
    progress,
  }: { store: Store; epoch: number; signal: AbortSignal; progress: (done: number, options: object) => void },
): Promise<{ hash: string; size: number; diffId: string }> {
  const total = entries.reduce((sum, entry) => sum + (entry.type === "file" ? entry.content.size : 0), 0);
  const counter = new DigestCounter();
  const reader = store.reader();
  const counted = function* () {
    for (const chunk of encodeTar(entries, { read: reader.read, mtime: epoch })) {
      signal.throwIfAborted();
      counter.update(chunk);
      progress(Math.min(counter.size, total), { total, what: "packing" }); // The tar is a little larger than its files.
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
