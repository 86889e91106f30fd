import { BootwrightError } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";

const ACTIONS = ["export", "import"] as const;

export const catalog = defineCommand({
  args: [
    { name: "action", required: true, choices: ACTIONS, summary: "what to do" },
    { name: "what", many: true, summary: "export CATALOG FILE, import FILE CATALOG" },
  ],
  flags: {
    "dry-run": { type: "boolean", summary: "for import: say what would be done; exit 10 when something would" },
  },
  examples: [
    { run: "bootwright catalog export kernels kernels.tar", says: "a catalog and all its bundles, in one file" },
    { run: "bootwright catalog import kernels.tar kernels", says: "verify the file, and bring it into a catalog here" },
  ],
  about: "Catalogs across an air gap: signature, digests and order are checked on the other side as well.",
  run: async ({ args, flags, session }) => {
    const { catalogExport, catalogImport } = await import("../../api/catalog-carry.ts");
    const [action, first, second, ...rest] = args;
    if (first === undefined || second === undefined || rest.length > 0)
      throw new BootwrightError("USAGE", `catalog ${action} needs a catalog and a file`, {
        hint: action === "import" ? "bootwright catalog import FILE CATALOG" : "bootwright catalog export CATALOG FILE",
      });
    return action === "import"
      ? catalogImport(session, { file: first, catalog: second, dryRun: flags["dry-run"] ?? false })
      : catalogExport(session, { catalog: first, file: second });
  },
});
