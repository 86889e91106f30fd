import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const dev = defineCommand({
  args: [{ name: "image", complete: "image", summary: "image to work on (default: the only one)" }],
  flags: {},
  examples: [
    { run: "bootwright dev", says: "edit a file: it is rebuilt and rebooted" },
    { run: "bootwright dev hello --profile debug", says: "one image, with a profile" },
  ],
  run: async ({ args: [image], session }) => {
    const api = await import("../../api/dev.ts");
    return api.dev(session, given({ image }));
  },
});
