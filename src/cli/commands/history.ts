import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const history = defineCommand({
  args: [{ name: "environment", summary: "only what was done to this one" }],
  flags: {},
  examples: [
    { run: "bootwright history", says: "all entries of the platform's record" },
    { run: "bootwright history prod", says: "what was approved for, promoted to and rolled back in prod" },
  ],
  run: async ({ args, session }) =>
    (await import("../../api/status.ts")).history(session, given({ environment: args[0] })),
});
