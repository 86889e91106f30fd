import { packageVersion } from "../../base/own-package.ts";
import { defineCommand } from "../command.ts";

export const version = defineCommand({
  args: [],
  flags: {},
  examples: [{ run: "bootwright version", says: "print the version" }],
  run: async () => {
    const text = packageVersion();
    return { data: { version: text, node: process.versions.node }, text, quiet: text };
  },
});
