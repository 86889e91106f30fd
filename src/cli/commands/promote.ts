import { defineCommand } from "../command.ts";

export const promote = defineCommand({
  args: [
    { name: "environment", required: true, summary: "where to" },
    { name: "release", required: true, summary: "the release's version" },
  ],
  flags: { "dry-run": { type: "boolean", summary: "say what would be done; exit 10 when something would" } },
  examples: [
    { run: "bootwright promote test v0.4.0", says: "a release goes to the first environment" },
    { run: "bootwright promote prod v0.4.0 --dry-run", says: "whether it may go on, and what is missing" },
  ],
  about:
    "Writes into the platform's record that an environment runs a release. Nothing is built or copied: a release is digests. It goes forward along the order of `environments`, with the approvals that they ask for.",
  run: async ({ args, flags, session }) =>
    (await import("../../api/promote.ts")).promote(session, {
      ...{ environment: args[0]!, release: args[1]!, dryRun: flags["dry-run"] ?? false },
    }),
});
