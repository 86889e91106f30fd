/** `budget` of images: what has grown past it fails the build before anything in out/ changes, and says what takes the space. */
import { BootwrightError } from "../base/errors.ts";
import type { PlanContext } from "../plan/context.ts";
import { budgetedImages } from "../plan/images.ts";
import type { PlannedImage } from "../plan/planned-image.ts";
import { budgetExceeded, SHOWN, type Weight } from "../tree/budget.ts";
import { type BuiltContext, contentSize, imageContents } from "./image-contents.ts";

/** Of all images that were built, those inside of others too. Throws BUDGET_EXCEEDED. */
export async function requireBudgets(ctx: PlanContext, built: BuiltContext): Promise<void> {
  const stages = new Set(built.run.stages.map(({ stage }) => stage));
  const errors: BootwrightError[] = [];
  for (const { image, budget } of budgetedImages(ctx)) {
    const { stage, output } = image.output;
    if (!stages.has(stage.name)) continue;
    const size = contentSize(built.store, built.run.output(stage, output));
    if (size > budget) errors.push(await overBudget(image, { size, budget, built }));
  }
  const [first, ...more] = errors;
  if (first === undefined) return;
  if (more.length === 0) throw first;
  throw new BootwrightError("BUDGET_EXCEEDED", `${errors.length} images hold more than their budgets`, {
    detail: errors.map(({ message, detail }) => `${message}\n${detail ?? ""}`.trimEnd()).join("\n\n"),
    hint: HINT,
  });
}

const HINT = "leave files out with `remove`, take fewer modules and less firmware, or raise `budget`";

async function overBudget(
  image: PlannedImage,
  { size, budget, built }: { size: number; budget: number; built: BuiltContext },
): Promise<BootwrightError> {
  const { parts, files } = await imageContents(image, built);
  const [largest, inside] = [heaviest(parts), heaviest(files)];
  const lists = [
    { title: "its largest parts:", weights: largest },
    {
      title: `the ${inside.length} largest files that went in, as they were before they were packed:`,
      weights: inside,
    },
  ];
  return budgetExceeded({
    ...{ name: `image ${image.name}`, size, budget, hint: HINT },
    lists: lists.filter(({ weights }) => weights.length > 0),
  });
}

const heaviest = (weights: readonly Weight[]): readonly Weight[] =>
  weights
    .filter(({ size }) => size > 0)
    .sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1))
    .slice(0, SHOWN);
