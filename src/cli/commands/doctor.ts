import { defineCommand } from "../command.ts";

export const doctor = defineCommand({
  args: [],
  flags: {
    fix: { type: "boolean", summary: "install what is missing (Debian and Ubuntu, as root or with sudo)" },
    for: {
      type: "string",
      value: "USE",
      choices: ["build", "boot", "test"],
      summary: "what to check for (default: boot)",
    },
  },
  examples: [
    { run: "bootwright doctor", says: "each need, met or not, with the way to meet it" },
    { run: "bootwright doctor --fix", says: "install what is missing" },
    { run: "bootwright doctor --json", says: "for bug reports" },
  ],
  run: async ({ flags, session }) => {
    const api = await import("../../api/doctor.ts");
    return api.doctor({
      fix: flags.fix ?? false,
      for: flags.for ?? "boot",
      storeDir: session.storeDir,
      emit: session.emit,
      signal: session.signal,
    });
  },
});
