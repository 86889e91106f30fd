import { defineCommand } from "../command.ts";

export const config = defineCommand({
  about: "Values from the environment are shown as the config asks for them, never as they are: they may be secret.",
  args: [],
  flags: { "show-origin": { type: "boolean", summary: "say where each value came from" } },
  examples: [
    { run: "bootwright config", says: "with every default filled in" },
    { run: "bootwright config --show-origin", says: "config, profile, environment or default" },
    { run: "bootwright config --profile debug --json", says: "for programs" },
  ],
  run: async ({ flags, session }) => {
    const { loadProject } = await import("../../api/config.ts");
    const { describeConfig } = await import("../config-text.ts");
    return describeConfig(await loadProject(session), { showOrigin: flags["show-origin"] ?? false, cwd: session.cwd });
  },
});
