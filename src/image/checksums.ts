/** The stage that lists the digests of images in the form of sha256sum(1), for whoever downloads them. */
import { comparePaths } from "../base/bytes.ts";
import { type BlobInput, defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";

export interface ChecksumsOptions {
  readonly name: string;
  /** Images of one file and images that are directories, by their names under out/. */
  readonly files: readonly { readonly name: string; readonly file: BlobInput }[];
  readonly directories: readonly { readonly name: string; readonly tree: TreeInput }[];
}

type ChecksumsInputs = { files: readonly BlobInput[]; directories: readonly TreeInput[] };

export function checksumsStage({
  name,
  files,
  directories,
}: ChecksumsOptions): Stage<ChecksumsInputs, { sums: BlobArtifact }> {
  return defineStage<ChecksumsInputs, { sums: BlobArtifact }>({
    name,
    kind: "sha256sums",
    version: 1,
    inputs: { files: files.map(({ file }) => file), directories: directories.map(({ tree }) => tree) },
    params: { files: files.map((one) => one.name), directories: directories.map((one) => one.name) },
    outputs: ["sums"],
    run: async ({ inputs, store }) => {
      const lines = inputs.files.map(({ hash }, i) => ({ path: files[i]!.name, hash }));
      for (const [i, artifact] of inputs.directories.entries())
        for (const entry of store.getTree(artifact))
          if (entry.type === "file")
            lines.push({ path: `${directories[i]!.name}/${entry.path}`, hash: entry.content.hash });
      lines.sort((a, b) => comparePaths(a.path, b.path));
      return { sums: blobArtifact(store.blobs.put(lines.map(sumLine).join(""))) };
    },
  });
}

/** A backslash in front says that the name is escaped (coreutils manual, "md5sum invocation"). */
function sumLine({ path, hash }: { path: string; hash: string }): string {
  const escaped = path.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  return `${escaped === path ? "" : "\\"}${hash}  ${escaped}\n`;
}
