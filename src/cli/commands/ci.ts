import { BootwrightError } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";

const ACTIONS = ["init", "check"] as const;
const ROLES = ["builder", "kernel", "iso", "all"] as const;

export const ci = defineCommand({
  args: [
    { name: "action", required: true, choices: ACTIONS, summary: "what to do" },
    { name: "host", many: true, summary: 'for init: where it runs; "github"' },
  ],
  flags: {
    role: {
      type: "string",
      value: "ROLE",
      choices: ROLES,
      summary: "for init: what the repository makes (default: all)",
    },
    runner: { type: "string", value: "LABELS", summary: 'for init: such as "self-hosted,kvm" (default: ubuntu-24.04)' },
    container: {
      type: "string",
      value: "IMAGE",
      summary: "for init: run in this image, which has Bootwright: HOST/NAME[:TAG]@sha256:HEX",
    },
    branch: { type: "string", value: "NAME", summary: "for init: the branch that is built (default: main)" },
    "dry-run": { type: "boolean", summary: "for init: say what would be written; exit 10" },
  },
  examples: [
    { run: "bootwright ci init github", says: "workflows that build, test, release and promote" },
    { run: "bootwright ci init github --role kernel --runner self-hosted,kvm", says: "of a kernel, on own machines" },
    { run: "bootwright ci check", says: "whether they still fit the config; exit 10 when not" },
  ],
  about:
    "Writes .github/workflows/bootwright-*.yml out of the config: what is built when which file changes, what is published on tags v*.*.*, promotion by hand. Actions are pinned by commit, each job has only the permissions that it needs.",
  run: async ({ args: [action, host, ...rest], flags, session }) => {
    const { ciCheck, ciInit } = await import("../../api/ci.ts");
    if (action === "check" && host === undefined) return ciCheck(session);
    if (action !== "init" || host !== "github" || rest.length > 0)
      throw new BootwrightError("USAGE", "ci takes: init github, or check", { hint: "bootwright ci init github" });
    const { role = "all", runner = "ubuntu-24.04", branch = "main" } = flags;
    for (const [name, word] of Object.entries({ runner, branch }))
      if (!/^[A-Za-z0-9._/,-]+$/.test(word))
        throw new BootwrightError("USAGE", `--${name} ${JSON.stringify(word)} is no name`, {
          hint: 'letters, digits and ".", "_", "-", "/"; labels of a runner with commas between',
        });
    const { container } = flags;
    if (container !== undefined && !/^[A-Za-z0-9][\w./:-]*@sha256:[0-9a-f]{64}$/.test(container))
      throw new BootwrightError("USAGE", `--container ${JSON.stringify(container)} is no image by digest`, {
        hint: "what a tag leads to may change; its digest: bootwright oci inspect IMAGE",
      });
    return ciInit(session, { role, runner, container, branch, dryRun: flags["dry-run"] ?? false });
  },
});
