/** The stage that says how an artifact was made: an in-toto statement over its digest. */
import { BootwrightError } from "../base/errors.ts";
import type { Json } from "../base/json.ts";
import { encodeStatement, type StatementSubject } from "../formats/intoto.ts";
import { isOciIndex, isOciManifest, parseOciIndex } from "../formats/oci.ts";
import { defineStage, type OutputRef, type Stage } from "../stage/stage.ts";
import { type BlobArtifact, blobArtifact, type TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";

export interface StatementOptions {
  readonly name: string;
  readonly artifact: OutputRef<BlobArtifact | TreeArtifact>;
  /** Its name under out/. */
  readonly fileName: string;
  readonly predicateType: string;
  readonly predicate: Json;
}

export function statementStage({
  name,
  artifact,
  fileName,
  predicateType,
  predicate,
}: StatementOptions): Stage<{ artifact: OutputRef<BlobArtifact | TreeArtifact> }, { statement: BlobArtifact }> {
  return defineStage<{ artifact: OutputRef<BlobArtifact | TreeArtifact> }, { statement: BlobArtifact }>({
    name,
    kind: "statement",
    version: 1,
    inputs: { artifact },
    params: { fileName, predicateType, predicate },
    outputs: ["statement"],
    run: async ({ inputs, store }) => {
      const subjects = artifactSubjects(inputs.artifact, { store, fileName });
      return { statement: blobArtifact(store.blobs.put(encodeStatement({ subjects, predicateType, predicate }))) };
    },
  });
}

/** A file is itself; a container image is its manifest, by which registries know it; any other directory is its files. */
export function artifactSubjects(
  artifact: BlobArtifact | TreeArtifact,
  { store, fileName }: { readonly store: Store; readonly fileName: string },
): readonly StatementSubject[] {
  if (artifact.kind === "blob") return [{ name: fileName, sha256: artifact.hash }];
  const tree = store.getTree(artifact);
  const files = tree.flatMap((entry) => (entry.type === "file" ? [entry] : []));
  const index = files.find(({ path }) => path === "index.json");
  if (index !== undefined && files.some(({ path }) => path === "oci-layout"))
    return parseOciIndex(store.readContent(index.content), `${fileName}/index.json`)
      .filter((one) => isOciManifest(one) || isOciIndex(one))
      .map(({ hash }) => ({ name: fileName, sha256: hash }));
  if (files.length === 0) throw new BootwrightError("UNSUPPORTED", `${fileName} holds no files to speak of`);
  return files.map(({ path, content }) => ({ name: `${fileName}/${path}`, sha256: content.hash }));
}
