import { defineCommand } from "../command.ts";

export const update = defineCommand({
  args: [{ name: "name", many: true, summary: "sources to pin anew (default: all)" }],
  flags: { "dry-run": { type: "boolean", summary: "say what would change; exit 10 when something would" } },
  examples: [
    { run: "bootwright update", says: "pin what the mirrors have now" },
    { run: "bootwright update linux-image-cloud-amd64", says: "only this one" },
  ],
  run: async ({ args, flags, session }) => {
    const api = await import("../../api/update.ts");
    return api.update(session, { names: args, dryRun: flags["dry-run"] ?? false });
  },
});
