import { BootwrightError } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";

export const approve = defineCommand({
  args: [
    { name: "environment", required: true, summary: "for where" },
    { name: "release", required: true, summary: "the release's version" },
  ],
  flags: {
    key: { type: "string", value: "FILE", summary: "the approver's secret key", env: true, complete: "file" },
    "dry-run": { type: "boolean", summary: "say what would be done; exit 10 when something would" },
  },
  examples: [
    { run: "bootwright approve prod v0.4.0 --key ./keys/approver", says: "sign that the release may go to prod" },
  ],
  about:
    "Writes an approval into the platform's record: who, when, which digest, signed with the approver's own key. Who that is, is whose public key `platform.approvers` has. An approval ends when the release is rolled back.",
  run: async ({ args, flags, session }) => {
    if (flags.key === undefined)
      throw new BootwrightError("USAGE", "approve needs the approver's key", {
        hint: `bootwright approve ${args[0]} ${args[1]} --key FILE, or set BOOTWRIGHT_KEY`,
      });
    return (await import("../../api/promote.ts")).approve(session, {
      ...{ environment: args[0]!, release: args[1]!, key: flags.key, dryRun: flags["dry-run"] ?? false },
    });
  },
});
