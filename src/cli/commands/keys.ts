import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

const ACTIONS = ["init", "enroll"] as const;

export const keys = defineCommand({
  args: [
    { name: "action", required: true, choices: ACTIONS, summary: "what to do" },
    { name: "key", many: true, summary: "for init: keys by name (default: all that the config names)" },
  ],
  flags: {
    to: { type: "string", value: "DIR", summary: "for enroll: where to write (default: enrol)", complete: "directory" },
    ovmf: {
      type: "string",
      value: "FILE",
      summary: "for enroll: also a variable store, made from this one",
      complete: "file",
    },
  },
  examples: [
    { run: "bootwright keys init", says: "make the keys that are not there yet" },
    { run: "bootwright keys enroll --to usb", says: "what firmware and systemd-boot enrol" },
  ],
  about:
    "Secret keys are written for their owner alone, and never over another. Enrolment files: signature lists (.esl), signed updates (.auth) and certificates (.cer) for firmware menus, loader/keys/auto for systemd-boot.",
  run: async ({ args, flags, session }) => {
    if (args[0] === "enroll")
      return (await import("../../api/keys-enroll.ts")).keysEnroll(session, given({ to: flags.to, ovmf: flags.ovmf }));
    return (await import("../../api/keys.ts")).keysInit(session, { names: args.slice(1) });
  },
});
