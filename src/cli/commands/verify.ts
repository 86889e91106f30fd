import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const verify = defineCommand({
  args: [
    {
      name: "ref",
      required: true,
      complete: "image",
      summary: "an image's name, a digest, a file, or a directory in the place of a system partition",
    },
  ],
  flags: {
    policy: {
      type: "string",
      value: "FILE",
      summary: "what must hold: YAML or JSON (default: the project's own Secure Boot keys)",
      complete: "file",
    },
  },
  examples: [
    { run: "bootwright verify disk", says: "an image of the project, by the project's keys" },
    { run: "bootwright verify ./disk.img --policy policy.yaml", says: "any disk, ISO image or EFI file, by a policy" },
    { run: "bootwright verify ./disk.img --policy policy.yaml --json", says: "for programs" },
  ],
  about:
    "Follows the chain from what firmware starts to the last block of the root: the partition table and its copy, the signatures of every EFI program, versions, and the dm-verity images that a UKI opens by a root hash. It exits 7 and names each violation when something does not hold.",
  run: async ({ args: [ref = ""], flags, session }) =>
    (await import("../../api/verify.ts")).verify(session, { ref, ...given({ policy: flags.policy }) }),
});
