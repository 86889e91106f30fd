/** What takes the space in an image that was built: the parts that it consists of, and the files that went into them. */
import { BootwrightError } from "../base/errors.ts";
import { distinctFiles, treeSize } from "../formats/tree-size.ts";
import { packedTrees } from "../plan/bill-parts.ts";
import { stageRoles } from "../plan/materials.ts";
import type { PlannedImage } from "../plan/planned-image.ts";
import type { RunReport } from "../stage/scheduler.ts";
import { type Input, isRef } from "../stage/stage.ts";
import type { Artifact, TreeArtifact } from "../store/artifact.ts";
import type { Store } from "../store/store.ts";
import type { Weight } from "../tree/budget.ts";
import { openStored } from "./artifact-ref.ts";
import { type Description, describe } from "./description.ts";

export interface BuiltContext {
  readonly store: Store;
  readonly run: RunReport;
}

/** Bytes: of a directory those of its files, each once; of a file in pieces those that it has, without the holes between them. */
export function contentSize(store: Store, artifact: Artifact): number {
  switch (artifact.kind) {
    case "blob":
      return artifact.size;
    case "tree":
      return treeSize(store.getTree(artifact));
    default:
      return store.getExtents(artifact).extents.reduce((sum, { length }) => sum + length, 0);
  }
}

/** Sections, partitions, files of a directory; and files of the trees and initramfs inside, which are not compressed there. Unordered. */
export async function imageContents(
  image: PlannedImage,
  built: BuiltContext,
): Promise<{ readonly parts: readonly Weight[]; readonly files: readonly Weight[] }> {
  const parts: Weight[] = [];
  const files = treeFiles(image, built);
  for (const { name, content } of image.contents ?? [{ name: "", content: image.output }]) {
    const artifact = artifactOf(content, built);
    const description = await describeBuilt(artifact, built.store);
    if (name !== "") parts.push({ name, size: contentSize(built.store, artifact) });
    else if (description?.format !== "initramfs") parts.push(...(description?.parts ?? []));
    for (const file of packedFiles(description)) if (!files.has(file.digest)) files.set(file.digest, file);
  }
  return { parts, files: [...files.values()] };
}

/** By digest. */
function treeFiles(image: PlannedImage, built: BuiltContext): Map<string, Weight> {
  const files = new Map<string, Weight>();
  const { stage } = image.output;
  for (const { name, tree } of packedTrees(stage, stageRoles(stage)))
    for (const { path, content } of distinctFiles(built.store.getTree(artifactOf(tree, built) as TreeArtifact)))
      files.set(`sha256:${content.hash}`, { name: `${name}: /${path}`, size: content.size });
  return files;
}

/** Of an initramfs, however deep it lies; also one that came from elsewhere, and what lies in front of one. */
function* packedFiles(description: Description | undefined): Generator<Weight & { readonly digest: string }> {
  for (const { name, size, attributes, inside } of description?.parts ?? []) {
    if (inside !== undefined) yield* packedFiles(inside);
    else if (description!.format === "initramfs" && attributes.digest !== undefined)
      yield { name: `initramfs: ${name}`, size, digest: attributes.digest };
  }
}

/** Undefined: a file whose format nobody here can read, such as a damaged one of the user's own. */
async function describeBuilt(artifact: Artifact, store: Store): Promise<Description | undefined> {
  const opened = openStored(artifact, { label: "", store });
  try {
    return await describe(opened);
  } catch (error) {
    if (error instanceof BootwrightError) return undefined;
    throw error;
  } finally {
    if (opened.kind === "file") opened.source[Symbol.dispose]();
  }
}

const artifactOf = (content: Input, { run }: BuiltContext): Artifact =>
  isRef(content) ? run.output(content.stage, content.output) : content;
