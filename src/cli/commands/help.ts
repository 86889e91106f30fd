import { packageVersion } from "../../base/own-package.ts";
import { defineCommand } from "../command.ts";
import { usage } from "../parse.ts";

export const help = defineCommand({
  args: [{ name: "topic", complete: "command", summary: "a command, or a guide" }],
  flags: { all: { type: "boolean", summary: "every command with its flags" } },
  examples: [
    { run: "bootwright help build", says: "a command's page" },
    { run: "bootwright help --all", says: "everything on one page" },
    { run: "bootwright help config", says: "the command's page, and the guide to the config" },
  ],
  run: async ({ args: [topic], flags }) => {
    const { commandHelp, fullHelp, rootHelp } = await import("../help.ts");
    const { COMMANDS, findCommand } = await import("../table.ts");
    const { readTopic, topicNames } = await import("../topics.ts");
    if (topic === undefined) {
      const text = flags.all ? await fullHelp(packageVersion()) : rootHelp(packageVersion());
      return { data: { text }, text };
    }
    const entry = findCommand(topic);
    const guide = readTopic(topic);
    if (entry === undefined && guide === undefined) {
      const { didYouMean } = await import("../../base/suggest.ts");
      const names = [...COMMANDS.map((one) => one.name), ...topicNames()];
      const hint = didYouMean(topic, names) || `; guides are ${topicNames().join(", ")}`;
      throw usage(`no command or guide is called "${topic}"${hint}`, { command: "" });
    }
    const page = entry === undefined ? "" : commandHelp(entry, await entry.load());
    const text = [page, guide ?? ""].filter((part) => part !== "").join("\n");
    return { data: { text }, text };
  },
});
