import { defineCommand } from "../command.ts";

export const published = defineCommand({
  args: [
    {
      name: "target",
      many: true,
      summary:
        "names of the config's `publish`, or addresses: a directory, s3://…, oci://…, github:…, http(s)://… (default: all)",
    },
  ],
  flags: {},
  examples: [
    { run: "bootwright published", says: "what lies in the places of the config" },
    { run: "bootwright published s3://releases/kernels --json", says: "of any place, for programs" },
  ],
  about:
    "Lists files with versions, sizes and digests, the moving names that mean each, and the environments that keep it: what runs there or would after a rollback. Catalogs have lists of their own.",
  run: async ({ args, session }) => (await import("../../api/published.ts")).published(session, { targets: args }),
});
