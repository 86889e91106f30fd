/** The stage that makes one blob of a file that lies in pieces: for who wants its digest, or reads it as a whole. */
import { defineStage, type ExtentsInput, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact } from "../store/artifact.ts";

export function wholeFileStage({
  name,
  file,
}: {
  name: string;
  file: ExtentsInput;
}): Stage<{ file: ExtentsInput }, { file: BlobArtifact }> {
  return defineStage<{ file: ExtentsInput }, { file: BlobArtifact }>({
    name,
    kind: "whole-file",
    version: 1,
    inputs: { file },
    params: {},
    outputs: ["file"],
    run: async ({ inputs, store }) => {
      const { assembledBlob } = await import("../store/assembled-file.ts");
      return { file: blobArtifact(assembledBlob(store, inputs.file)) };
    },
  });
}
