import { defineCommand } from "../command.ts";

export const rollback = defineCommand({
  args: [{ name: "environment", required: true, summary: "which environment" }],
  flags: { "dry-run": { type: "boolean", summary: "say what would be done; exit 10 when something would" } },
  examples: [{ run: "bootwright rollback prod", says: "back to the release that ran there before" }],
  about:
    "Writes into the platform's record that an environment runs again what ran there before. The release that it leaves needs its approvals anew.",
  run: async ({ args, flags, session }) =>
    (await import("../../api/promote.ts")).rollback(session, {
      ...{ environment: args[0]!, dryRun: flags["dry-run"] ?? false },
    }),
});
