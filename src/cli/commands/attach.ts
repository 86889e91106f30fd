import { defineCommand } from "../command.ts";

export const attach = defineCommand({
  args: [
    { name: "request", required: true, summary: "directory of an answered signing request", complete: "directory" },
  ],
  flags: {},
  examples: [{ run: "bootwright attach out/signing-request", says: "take the signatures, and build with them" }],
  about:
    "Each signature is checked against the key's certificate and against what was asked for. They lie in the config's `signatures` directory from then on, and can be committed: whoever builds the same bytes has them signed.",
  run: async ({ args, session }) => (await import("../../api/attach.ts")).attach(session, args[0]!),
});
