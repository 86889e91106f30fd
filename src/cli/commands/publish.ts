import { defineCommand } from "../command.ts";

export const publish = defineCommand({
  args: [{ name: "name", many: true, summary: "names of the config's `publish` (default: all)" }],
  flags: {
    "dry-run": { type: "boolean", summary: "say what would be done; exit 10 when something would" },
    sweep: { type: "boolean", summary: "publish nothing; take away what publishers that were killed have left" },
  },
  examples: [
    { run: "bootwright publish --dry-run", says: "what would change, and where" },
    { run: "bootwright publish", says: "build and publish all that the config names" },
    { run: "bootwright publish iso", says: "one of them" },
    { run: "bootwright publish --sweep --dry-run", says: "what dead publishers have left, and is older than a day" },
  ],
  about:
    "Images go to directories, buckets, registries and GitHub releases, kernels to catalogs. The bytes go first, a name is switched last; a name that means other bytes already is refused.",
  run: async ({ args, flags, session }) => {
    const options = { names: args, dryRun: flags["dry-run"] ?? false };
    if (flags.sweep === true) return (await import("../../api/publish-sweep.ts")).sweepPublished(session, options);
    return (await import("../../api/publish.ts")).publish(session, options);
  },
});
