/** What a tree may weigh: a build that has grown past it fails, and says what has grown. */
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import type { FileTree } from "../formats/filetree.ts";
import { largestFiles, treeSize } from "../formats/tree-size.ts";

const SHOWN = 10;

/** `budget`: bytes. Throws BUDGET_EXCEEDED with the largest files. */
export function requireBudget(tree: FileTree, { name, budget }: { name: string; budget: number }): void {
  const size = treeSize(tree);
  if (size <= budget) return;
  const lines = largestFiles(tree, SHOWN).map(
    ({ path, content }) => `${formatSize(content.size).padStart(10)}  /${path}`,
  );
  throw new BootwrightError(
    "BUDGET_EXCEEDED",
    `${name} holds ${formatSize(size)}; its budget is ${formatSize(budget)} (${formatSize(size - budget)} too much)`,
    {
      detail: [`the ${lines.length} largest files:`, ...lines].join("\n"),
      hint: "leave files out with `remove`, or raise `budget`",
    },
  );
}
