import { defineCommand } from "../command.ts";

export const init = defineCommand({
  about: "It never overwrites a file.",
  args: [{ name: "dir", complete: "directory", summary: "where to (default: here)" }],
  flags: {
    template: {
      type: "string",
      value: "NAME",
      choices: ["hello", "yaml"],
      summary: "what to start from (default: hello)",
    },
  },
  examples: [
    { run: "bootwright init my-os", says: "a config in TypeScript" },
    { run: "bootwright init my-os --template yaml", says: "the same in YAML" },
  ],
  run: async ({ args: [dir = "."], flags, session }) => {
    const { createProject } = await import("../create-project.ts");
    return createProject({ cwd: session.cwd, dir, template: flags.template ?? "hello" });
  },
});
