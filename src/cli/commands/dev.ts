import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const dev = defineCommand({
  args: [{ name: "image", complete: "image", summary: "image to work on (default: the only one)" }],
  about: "It keeps one machine running. A change rebuilds what it touches and reboots; the same bytes reboot nothing.",
  flags: {
    firmware: {
      type: "string",
      value: "KIND",
      choices: ["uefi", "direct", "microvm"],
      summary: "how it starts (default: direct, the quickest)",
    },
  },
  examples: [
    { run: "bootwright dev", says: "edit a file: it is rebuilt and rebooted" },
    { run: "bootwright dev hello --profile debug", says: "one image, with a profile" },
  ],
  run: async ({ args: [image], flags, session, resultOnly }) => {
    const api = await import("../../api/dev.ts");
    const { guestTerminal } = await import("../guest-terminal.ts");
    const { stdin, stdout, stderr } = process;
    const terminal = guestTerminal({ stdin, stdout, stderr, quiet: resultOnly });
    return api.dev(session, { terminal, ...given({ image, firmware: flags.firmware }) });
  },
});
