import { defineCommand } from "../command.ts";

export const status = defineCommand({
  args: [],
  flags: {},
  examples: [{ run: "bootwright status", says: "what runs in each environment, since when, and what is next" }],
  run: async ({ session }) => (await import("../../api/status.ts")).status(session),
});
