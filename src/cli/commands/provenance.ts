import { defineCommand } from "../command.ts";

export const provenance = defineCommand({
  args: [{ name: "image", required: true, complete: "image", summary: "an image of the project" }],
  flags: {
    format: {
      type: "string",
      value: "FORMAT",
      choices: ["slsa", "spdx", "cyclonedx"],
      summary: "write this one (default: all)",
    },
    key: { type: "string", value: "NAME", summary: "key of the config that signs" },
    builder: { type: "string", value: "URI", summary: "who builds (default: urn:bootwright:builder:local)" },
  },
  examples: [
    { run: "bootwright provenance hello", says: "how hello was made, beside it in out/" },
    { run: "bootwright provenance hello --key release", says: "and signed" },
  ],
  about:
    "Builds the image, and writes beside it: NAME.intoto.json, a statement of how it was made (in-toto, SLSA provenance v1); NAME.spdx.json and NAME.cdx.json, what it consists of: packages, kernels, files (SPDX 2.3, CycloneDX 1.6). With a key also NAME.intoto.jsonl, the statement in a signed envelope (DSSE), and NAME.sig, a signature of the file. The same build gives the same bytes: no time, path or user is in them.",
  run: async ({ args: [image = ""], flags: { format, key, builder }, session }) =>
    (await import("../../api/provenance.ts")).provenance(session, { image, format, key, builder }),
});
