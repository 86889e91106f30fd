/** A budget is for what grows with its contents: where the config itself says how large an image is, it would say nothing. */
import type { ImageConfig } from "../image/schema.ts";
import type { ConfigIssue } from "./issue.ts";
import type { ProjectOutput } from "./schema.ts";

export const budgetIssues = ({ images }: ProjectOutput): readonly ConfigIssue[] =>
  Object.entries(images).flatMap(([name, image]): ConfigIssue[] => {
    const fixed = image.budget === undefined ? undefined : fixedBy(image);
    if (fixed === undefined) return [];
    const message = `\`${fixed}\` says already how large it is; give the budget to what goes in: a tree, an initramfs, another image`;
    return [{ path: ["images", name, "budget"], message, mark: "key" }];
  });

/** A raw disk counts without its empty space, and those of other formats hold little of it. */
function fixedBy(image: ImageConfig): string | undefined {
  if (image.kind === "ext4" || (image.kind === "esp" && image.format === "image"))
    return image.size === undefined ? undefined : "size";
  return image.kind === "microvm" && image.root.size !== undefined ? "root.size" : undefined;
}
