import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const sign = defineCommand({
  args: [{ name: "request", required: true, summary: "directory of a signing request", complete: "directory" }],
  flags: {
    keys: {
      type: "string",
      value: "DIR",
      summary: "directory of the keys: NAME.key, NAME.crt (default: keys)",
      complete: "directory",
    },
    "passphrase-file": { type: "string", value: "FILE", summary: "file with the keys' passphrase", complete: "file" },
    pkcs11: { type: "string", value: "URI", summary: "the secret lies in a token: its PKCS #11 URI" },
    "dry-run": { type: "boolean", summary: "say what would be signed; exit 10" },
  },
  examples: [
    { run: "bootwright sign signing-request --dry-run", says: "what is to be signed, and what for" },
    { run: "bootwright sign signing-request --keys /media/keys", says: "sign it" },
  ],
  about:
    "Runs on the machine that has the keys: it needs the request alone, neither the project nor what was built. The signatures go into the request's directory; `attach` takes them from there.",
  run: async ({ args, flags, session }) =>
    (await import("../../api/sign.ts")).sign(session, {
      request: args[0]!,
      dryRun: flags["dry-run"] ?? false,
      ...given({ keys: flags.keys, passphrase: flags["passphrase-file"], pkcs11: flags.pkcs11 }),
    }),
});
