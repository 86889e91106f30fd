/** What updates need of the rest of the config. */
import type { UpdateConfig } from "../update/schema.ts";
import type { ConfigIssue } from "./issue.ts";
import type { ConfigPath } from "./path.ts";
import { unknownName } from "./references.ts";
import type { ProjectOutput } from "./schema.ts";

export type ResolvedUpdate = Omit<UpdateConfig, "key"> & { readonly key: string };

const DEFAULT_KEY = "update";

export function resolveUpdate(config: ProjectOutput): {
  readonly update: ResolvedUpdate | undefined;
  readonly issues: readonly ConfigIssue[];
} {
  const update = config.update && { ...config.update, key: config.update.key ?? DEFAULT_KEY };
  const issues: ConfigIssue[] = [];
  if (update !== undefined && !(update.key in config.keys)) {
    const message = `updates are signed: \`keys: { ${DEFAULT_KEY}: { file: "./keys/update", type: ed25519 } }\``;
    issues.push({ path: ["update"], message, mark: "key" });
  } else if (update !== undefined && config.keys[update.key]!.type !== "ed25519")
    issues.push({ path: ["keys", update.key], message: "updates are signed with keys of type ed25519", mark: "key" });
  if (update !== undefined && update.floor > update.release)
    issues.push({
      path: ["update", "floor"],
      message: `a machine with release ${update.release} would refuse its own release`,
      mark: "value",
    });
  if (update === undefined) issues.push(...usesOf(config).map((path) => needed(path)));
  for (const [name, image] of Object.entries(config.images)) {
    if (image.kind === "update") issues.push(...unfitDisk(config, { name, disk: image.disk }));
    if (image.kind === "disk" && image.layout === undefined && Object.keys(image.slots).length > 0)
      issues.push({ path: ["images", name, "slots"], message: 'needs a layout: "ab" or "usb"', mark: "key" });
    if (image.kind === "disk")
      for (const slot of Object.keys(image.slots))
        if (!(slot in config.images))
          issues.push({
            path: ["images", name, "slots", slot],
            message: unknownName("image", slot, Object.keys(config.images)),
            mark: "key",
          });
  }
  return { update, issues };
}

const needed = (path: ConfigPath): ConfigIssue => ({
  path,
  message: "needs `update`: the number of the release, and what a machine takes",
  mark: "value",
});

/** Where the config asks for updates. */
function usesOf({ images, trees }: ProjectOutput): readonly ConfigPath[] {
  const kinds = Object.entries(images).filter(([, { kind }]) => kind === "update");
  const origins = Object.entries(trees).flatMap(([name, { from }]) =>
    from.flatMap(({ type }, i): ConfigPath[] => (type === "updater" ? [["trees", name, "from", i]] : [])),
  );
  return [...kinds.map(([name]): ConfigPath => ["images", name, "kind"]), ...origins];
}

function unfitDisk({ images }: ProjectOutput, { name, disk }: { name: string; disk: string }): readonly ConfigIssue[] {
  const image = images[disk];
  if (image === undefined || (image.kind === "disk" && image.layout !== undefined)) return [];
  const message = `"${disk}" is no disk with slots: an update is for one with a \`layout\``;
  return [{ path: ["images", name, "disk"], message, mark: "value" }];
}
