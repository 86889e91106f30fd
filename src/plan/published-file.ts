/** An image as it is published to places that take files. */
import { ociArchiveStage } from "../image/oci-archive-stage.ts";
import { blobOf, type OutputRef } from "../stage/stage.ts";
import type { TreeArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import type { PlannedImage } from "./planned-image.ts";

/** A container image as an archive; any other image as it is. */
export function publishedFile(ctx: PlanContext, image: PlannedImage): PlannedImage {
  if (image.kind !== "oci") return image;
  return ctx.once(`oci-archive:${image.name}`, () => {
    const layout = image.output as OutputRef<TreeArtifact>;
    const archive = ociArchiveStage({ name: `oci-archive:${image.name}`, layout });
    return { ...image, output: blobOf(archive, "archive"), fileName: `${image.fileName}.oci.tar` };
  });
}
