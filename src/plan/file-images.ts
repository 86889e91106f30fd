/** `kind: "file"` → the file's own stage. */
import path from "node:path";
import type { PlanContext } from "./context.ts";
import type { ImageSection, PlannedImage } from "./planned-image.ts";
import { localBlob, sourceFile } from "./sources.ts";

export function planFile(
  ctx: PlanContext,
  { name, image }: { name: string; image: ImageSection<"file"> },
): PlannedImage {
  if (image.file !== undefined)
    return { name, kind: "file", output: localBlob(ctx, image.file), fileName: path.posix.basename(image.file) };
  const { file, fileName } = sourceFile(ctx, image.source!);
  return { name, kind: "file", output: file, fileName };
}
