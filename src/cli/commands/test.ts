import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const test = defineCommand({
  args: [{ name: "file", many: true, complete: "file", summary: "test files (default: every *.boot.ts)" }],
  flags: {
    grep: { type: "string", value: "REGEXP", summary: "only tests whose name matches" },
    retries: { type: "integer", value: "N", summary: "run a failed test again (default: 0)" },
    update: { type: "boolean", summary: "write new expected screenshots" },
    reporter: { type: "string", value: "KIND", choices: ["junit", "json"], summary: "also write a report" },
  },
  examples: [
    { run: "bootwright test", says: "boot, and check every *.boot.ts" },
    { run: "bootwright test --grep login", says: "only some" },
    { run: "bootwright test --reporter junit", says: "with a report for CI" },
  ],
  run: async ({ args, flags, session }) => {
    const api = await import("../../api/test.ts");
    return api.test(session, {
      files: args,
      retries: flags.retries ?? 0,
      update: flags.update ?? false,
      ...given({ grep: flags.grep, reporter: flags.reporter }),
    });
  },
});
