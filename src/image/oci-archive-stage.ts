/** The stage that puts a container image into one file. */
import type { Digest } from "../base/digest.ts";
import { ociBlobPath, parseOciIndex } from "../formats/oci.ts";
import { encodeOciArchive, listOciArchive } from "../formats/oci-archive.ts";
import { defineStage, type Stage, type TreeInput } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";

/** `layout`: of one image, as `kind: oci` is built. */
export function ociArchiveStage({
  name,
  layout,
}: {
  name: string;
  layout: TreeInput;
}): Stage<{ layout: TreeInput }, { archive: BlobArtifact }> {
  return defineStage<{ layout: TreeInput }, { archive: BlobArtifact }>({
    name,
    kind: "oci-archive",
    version: 1,
    inputs: { layout },
    params: {},
    outputs: ["archive"],
    run: async ({ inputs, store, progress, signal }) => {
      const contents = new Map(
        store.getTree(inputs.layout).flatMap((entry) => (entry.type === "file" ? [[entry.path, entry.content]] : [])),
      );
      const contentOf = (path: string) => {
        const content = contents.get(path);
        if (content === undefined) throw new Error(`${name}: the layout lacks ${path}`);
        return content;
      };
      const read = (path: string) => store.readContent(contentOf(path));
      const root = parseOciIndex(read("index.json"), `${name}: index.json`)[0]!;
      const archive = await listOciArchive({ ...root, bytes: read(ociBlobPath(root)) }, async (inner) =>
        read(ociBlobPath(inner)),
      );
      const reader = store.reader();
      const blob = (digest: Digest) => reader.read(contentOf(ociBlobPath(digest)));
      const chunks = async function* () {
        let done = 0;
        for await (const chunk of encodeOciArchive(archive, blob)) {
          signal.throwIfAborted();
          done += chunk.length;
          progress(done, { total: archive.size, what: "packing" });
          yield chunk;
        }
      };
      try {
        return { archive: blobArtifact(await store.blobs.putStream(chunks(), { overlap: true })) };
      } finally {
        reader.close();
      }
    },
  });
}
