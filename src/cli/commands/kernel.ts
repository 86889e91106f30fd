import { BootwrightError } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

const ACTIONS = ["ls", "show", "pull", "import", "rm", "outdated", "publish"] as const;

export const kernel = defineCommand({
  args: [
    { name: "action", required: true, choices: ACTIONS, summary: "what to do" },
    { name: "name", many: true, summary: "kernels: NAME or NAME@VERSION; for publish: names of `publish`" },
  ],
  flags: {
    available: { type: "boolean", summary: "for ls: what the project's catalogs have" },
    catalog: { type: "string", value: "NAME", summary: "for pull: which catalog (default: the only one)" },
    from: { type: "string", value: "DIR", summary: "for import: the kernel's directory", complete: "directory" },
    "as-version": { type: "string", value: "VERSION", summary: "for import: its version (default: its release)" },
    "dry-run": { type: "boolean", summary: "for rm, publish: say what would be done; exit 10 when something would" },
    yes: { type: "boolean", short: "y", summary: "for rm: also what a project still pins" },
  },
  examples: [
    { run: "bootwright kernel ls --available", says: "what the project's catalogs have" },
    { run: "bootwright kernel pull generic-6.12", says: "fetch a kernel and verify it" },
    { run: "bootwright kernel import mine --from ./kernel", says: "keep a kernel that was built elsewhere" },
    { run: "bootwright kernel publish --dry-run", says: "what would be added to which catalog" },
  ],
  about: "Kernels in bundles, and signed catalogs of them. Own copies stay until `rm`, whatever a catalog does.",
  run: async ({ args, flags, session }) => {
    const action = ACTIONS.find((one) => one === args[0]) ?? "ls";
    const names = args.slice(1);
    const dryRun = flags["dry-run"] ?? false;
    switch (action) {
      case "ls": {
        const { kernelAvailable, kernelList } = await import("../../api/kernel-list.ts");
        return flags.available ? kernelAvailable(session) : kernelList(session);
      }
      case "show":
        return (await import("../../api/kernel-show.ts")).kernelShow(session, only(names, action));
      case "pull":
        only(names.slice(0, 1), action);
        return (await import("../../api/kernel-pull.ts")).kernelPull(session, {
          names,
          ...given({ catalog: flags.catalog }),
        });
      case "import": {
        const name = only(names, action);
        if (flags.from === undefined)
          throw new BootwrightError("USAGE", "kernel import needs the kernel's directory", {
            hint: `bootwright kernel import ${name} --from DIR`,
          });
        return (await import("../../api/kernel-import.ts")).kernelImport(session, {
          name,
          from: flags.from,
          ...given({ version: flags["as-version"] }),
        });
      }
      case "rm":
        only(names.slice(0, 1), action);
        return (await import("../../api/kernel-remove.ts")).kernelRemove(session, {
          names,
          yes: flags.yes ?? false,
          dryRun,
        });
      case "outdated":
        return (await import("../../api/kernel-list.ts")).kernelOutdated(session);
      default:
        return (await import("../../api/kernel-publish.ts")).kernelPublish(session, { names, dryRun });
    }
  },
});

function only(names: readonly string[], action: string): string {
  if (names.length === 1) return names[0]!;
  throw new BootwrightError("USAGE", `kernel ${action} needs ${names.length === 0 ? "a name" : "one name"}`, {
    hint: `bootwright kernel ${action} NAME`,
  });
}
