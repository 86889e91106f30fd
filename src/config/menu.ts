/** What a menu names must be on its partition, and systemd-boot must be able to do what is asked for. */
import type { ImageConfig } from "../image/schema.ts";
import type { ConfigIssue } from "./issue.ts";
import type { ConfigPath } from "./path.ts";
import type { ProjectOutput } from "./schema.ts";

export function menuIssues(config: ProjectOutput): readonly ConfigIssue[] {
  return Object.entries(config.images).flatMap(([name, image]) => menuOf(config, { name, image }));
}

function menuOf({ images }: ProjectOutput, { name, image }: { name: string; image: ImageConfig }): ConfigIssue[] {
  if ((image.kind !== "esp" && image.kind !== "disk") || image.menu === undefined) return [];
  const { menu } = image;
  const list = image.kind === "esp" ? "contains" : "esp";
  const contents = image.kind === "esp" ? image.contains : image.esp;
  const entries = contents.filter((item) => typeof item === "string" && images[item]?.kind !== "addon") as string[];
  const at = (...rest: ConfigPath): ConfigPath => ["images", name, ...rest];
  const issues: ConfigIssue[] = [];
  if (image.kind === "disk" && image.layout !== undefined && menu.tries !== undefined)
    issues.push({
      path: at("menu", "tries"),
      message: `on a disk with layout "${image.layout}" nothing is counted: its firmware tries a new slot once, and goes back`,
      mark: "key",
    });
  for (const [i, item] of contents.entries()) {
    const kind = typeof item === "string" ? images[item]?.kind : undefined;
    if (kind === undefined || kind === "uki" || kind === "addon") continue; // A wrong name is said elsewhere.
    issues.push({
      path: at(list, i),
      message: `a menu shows images of kind "uki"; "${item as string}" is of kind "${kind}"`,
      mark: "value",
    });
  }
  const named = (entry: string, path: ConfigPath, mark: "key" | "value"): void => {
    if (!entries.includes(entry))
      issues.push({ path, message: `"${entry}" is not in \`${list}\` of this image: ${entries.join(", ")}`, mark });
  };
  if (menu.default !== undefined) named(menu.default, at("menu", "default"), "value");
  if (typeof menu.tries === "object")
    for (const entry of Object.keys(menu.tries)) named(entry, at("menu", "tries", entry), "key");
  const first = menu.default ?? entries[0];
  if (issues.length > 0 || first === undefined || menuTries(menu, { entry: first, first }) === undefined) return issues;
  // A `default` holds even when the entry's tries are used up, so a counted one has to come first by its sort key.
  const sortKey = (entry: string): string => {
    const uki = images[entry];
    return (uki?.kind === "uki" && uki.sortKey) || entry;
  };
  const before = entries.find((entry) => entry !== first && sortKey(entry) <= sortKey(first));
  if (before !== undefined)
    issues.push({
      path: at("menu", "tries"),
      message: `"${first}" is counted, so the boot loader starts what comes first by sort key, and that is "${before}"; give the image "${first}" a smaller one: sortKey: "0-${first}"`,
      mark: "key",
    });
  return issues;
}

/** How often `entry` may fail before the next one is taken; undefined: it is not counted. A bare number is for the first. */
export const menuTries = (
  { tries }: { readonly tries?: number | Readonly<Record<string, number>> | undefined },
  { entry, first }: { readonly entry: string; readonly first: string },
): number | undefined =>
  typeof tries === "number"
    ? entry === first
      ? tries
      : undefined
    : tries !== undefined && Object.hasOwn(tries, entry)
      ? tries[entry]
      : undefined;
