import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const plan = defineCommand({
  about: "It writes nothing.",
  args: [{ name: "image", many: true, complete: "image", summary: "images to plan (default: all)" }],
  flags: {
    graph: { type: "string", value: "KIND", choices: ["mermaid", "dot"], summary: "print the graph of stages" },
    "detailed-exitcode": { type: "boolean", summary: "exit 10 when something would run" },
  },
  examples: [
    { run: "bootwright plan", says: "each stage, cached or why not" },
    { run: "bootwright plan --graph=mermaid", says: "a picture for a README" },
    { run: "bootwright plan --json", says: "for programs" },
  ],
  run: async ({ args, flags, session }) => {
    const api = await import("../../api/plan.ts");
    return api.plan(session, {
      images: args,
      detailedExitCode: flags["detailed-exitcode"] ?? false,
      ...given({ graph: flags.graph }),
    });
  },
});
