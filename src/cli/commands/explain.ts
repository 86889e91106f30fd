import { ERROR_CODES, isErrorCode } from "../../base/error-codes.ts";
import { codeText } from "../codes.ts";
import { defineCommand } from "../command.ts";

export const explain = defineCommand({
  args: [{ name: "subject", required: true, complete: "code", summary: "a stage, an artifact, or an error code" }],
  flags: {},
  examples: [
    { run: "bootwright explain initramfs", says: "why it ran, from recorded reasons" },
    { run: "bootwright explain LOCK_FROZEN", says: "what an error code means" },
  ],
  run: async ({ args: [subject = ""], session }) => {
    if (isErrorCode(subject)) return { data: { code: subject, ...ERROR_CODES[subject] }, text: codeText(subject) };
    const api = await import("../../api/explain.ts");
    return api.explain(session, { subject });
  },
});
