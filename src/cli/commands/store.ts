import { parseSize } from "../../base/size.ts";
import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

const ACTIONS = ["ls", "verify", "gc"] as const;

export const store = defineCommand({
  args: [{ name: "action", required: true, choices: ACTIONS, summary: "what to do" }],
  flags: {
    keep: { type: "string", value: "SIZE", summary: "for gc: leave this much, newest first" },
    "dry-run": { type: "boolean", summary: "for gc: say what would go; exit 10 when something would" },
  },
  examples: [
    { run: "bootwright store ls", says: "what is there, and how much" },
    { run: "bootwright store verify", says: "check every byte against its digest" },
    { run: "bootwright store gc --keep 20G", says: "remove what no recent build needs" },
  ],
  run: async ({ args, flags, session }) => {
    const action = ACTIONS.find((one) => one === args[0]) ?? "ls";
    const keep = flags.keep === undefined ? undefined : parseSize(flags.keep);
    const api = await import("../../api/store.ts");
    return api.store(session, { action, dryRun: flags["dry-run"] ?? false, ...given({ keep }) });
  },
});
