import { defineCommand } from "../command.ts";

export const keys = defineCommand({
  args: [
    { name: "action", required: true, choices: ["init"], summary: "what to do" },
    { name: "key", many: true, summary: "keys by name (default: all that the config names)" },
  ],
  flags: {},
  examples: [{ run: "bootwright keys init", says: "make the keys that are not there yet" }],
  about: "Secret keys are written for their owner alone, and never over another. Public keys lie beside them.",
  run: async ({ args, session }) => (await import("../../api/keys.ts")).keysInit(session, { names: args.slice(1) }),
});
