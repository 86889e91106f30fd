/** An image as one blob, for all that take its bytes or its digest. */
import { wholeFileStage } from "../image/whole-file.ts";
import { blobOf, type OutputRef } from "../stage/stage.ts";
import type { BlobArtifact, ExtentsArtifact } from "../store/artifact.ts";
import type { PlanContext } from "./context.ts";
import type { PlannedImage } from "./planned-image.ts";

/** Undefined for a directory: `output` itself serves. */
export function wholeFile(
  ctx: PlanContext,
  { name, output }: Pick<PlannedImage, "name" | "output">,
): OutputRef<BlobArtifact> | undefined {
  switch (output.kind) {
    case "tree":
      return undefined;
    case "blob":
      return output as OutputRef<BlobArtifact>;
    default:
      return ctx.once(`whole-file:${name}`, () =>
        blobOf(wholeFileStage({ name: `whole-file:${name}`, file: output as OutputRef<ExtentsArtifact> }), "file"),
      );
  }
}
