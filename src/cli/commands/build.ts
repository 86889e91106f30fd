import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const build = defineCommand({
  args: [{ name: "image", many: true, complete: "image", summary: "images to build (default: all)" }],
  flags: {
    output: {
      type: "string",
      short: "o",
      value: "PATH",
      summary: "put the result here (default: out/)",
      complete: "directory",
    },
  },
  examples: [
    { run: "bootwright build", says: "build every image" },
    { run: "bootwright build hello", says: "build one" },
    { run: "bootwright build --profile debug", says: "with a profile of the config" },
    { run: "bootwright build hello --quiet", says: "print only its digest" },
  ],
  run: async ({ args, flags, session, resultOnly }) => {
    const api = await import("../../api/build.ts");
    return api.build(session, { images: args, digests: resultOnly, ...given({ output: flags.output }) });
  },
});
