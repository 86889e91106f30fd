/** What a tree, or an image, may weigh: a build that has grown past it fails, and says what has grown. */
import { BootwrightError } from "../base/errors.ts";
import { formatSize } from "../base/size.ts";
import type { FileTree } from "../formats/filetree.ts";
import { largestFiles, treeSize } from "../formats/tree-size.ts";

/** How many of each list are shown. */
export const SHOWN = 10;

export interface Weight {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
}

export interface Overweight {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly budget: number;
  readonly lists: readonly { readonly title: string; readonly weights: readonly Weight[] }[];
  readonly hint: string;
}

/** `budget`: bytes. Throws BUDGET_EXCEEDED with the largest files. */
export function requireBudget(tree: FileTree, { name, budget }: { name: string; budget: number }): void {
  const size = treeSize(tree);
  if (size <= budget) return;
  const weights = largestFiles(tree, SHOWN).map(({ path, content }) => ({ name: `/${path}`, size: content.size }));
  throw budgetExceeded({
    ...{ name, size, budget },
    lists: [{ title: `the ${weights.length} largest files:`, weights }],
    hint: "leave files out with `remove`, or raise `budget`",
  });
}

export function budgetExceeded({ name, size, budget, lists, hint }: Overweight): BootwrightError {
  const lines = lists.flatMap(({ title, weights }) => [
    title,
    ...weights.map((one) => `${formatSize(one.size).padStart(10)}  ${one.name}`),
  ]);
  return new BootwrightError(
    "BUDGET_EXCEEDED",
    `${name} holds ${formatSize(size)}; its budget is ${formatSize(budget)} (${formatSize(size - budget)} too much)`,
    { ...(lines.length > 0 && { detail: lines.join("\n") }), hint },
  );
}
