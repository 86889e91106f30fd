/** `kind: "sha256sums"` → a stage over the other images. */
import { checksumsStage } from "../image/checksums.ts";
import { blobOf, type OutputRef } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import type { Find } from "./esp-contents.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { wholeFile } from "./whole-file.ts";

export function planChecksums(
  ctx: PlanContext,
  { name, image, find }: { name: string; image: ImageSection<"sha256sums">; find: Find },
): PlannedImage {
  const images = image.of.map(find);
  const stage = checksumsStage({
    name: `sha256sums:${name}`,
    files: images.flatMap((one) => {
      const file = wholeFile(ctx, one);
      return file === undefined ? [] : [{ name: one.fileName, file }];
    }),
    directories: images.flatMap(({ fileName, output }) =>
      output.kind === "tree" ? [{ name: fileName, tree: output as OutputRef<TreeArtifact> }] : [],
    ),
  });
  return { name, kind: "sha256sums", output: blobOf(stage, "sums"), fileName: "SHA256SUMS" };
}
