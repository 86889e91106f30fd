/** What an add-on adds to must be a UKI, and lie on the same partition: there systemd's stub looks for it. */
import type { ConfigIssue } from "./issue.ts";
import type { ProjectOutput } from "./schema.ts";

export function addonIssues({ images }: ProjectOutput): readonly ConfigIssue[] {
  return Object.entries(images).flatMap(([name, image]): ConfigIssue[] => {
    if (image.kind === "addon") {
      const of = images[image.of]?.kind;
      if (of === undefined || of === "uki") return []; // A wrong name is said elsewhere.
      const message = `"${image.of}" is of kind "${of}"; an add-on is for an image of kind "uki"`;
      return [{ path: ["images", name, "of"], message, mark: "value" }];
    }
    if (image.kind !== "esp" && image.kind !== "disk") return [];
    const [key, items] = image.kind === "esp" ? (["contains", image.contains] as const) : (["esp", image.esp] as const);
    return items.flatMap((item, i): ConfigIssue[] => {
      const addon = typeof item === "string" ? images[item] : undefined;
      if (addon?.kind !== "addon" || items.includes(addon.of)) return [];
      const message = `"${item as string}" is an add-on of "${addon.of}", which is not in \`${key}\` of this image`;
      return [{ path: ["images", name, key, i], message, mark: "value" }];
    });
  });
}
