import { BootwrightError } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";

const ACTIONS = ["new", "tag", "check", "show", "ls", "diff", "verify"] as const;

export const release = defineCommand({
  args: [
    { name: "action", required: true, choices: ACTIONS, summary: "what to do" },
    { name: "version", many: true, summary: "new, tag, show: VERSION; diff: VERSION VERSION; check: repositories" },
  ],
  flags: {
    "dry-run": {
      type: "boolean",
      summary: "for new, tag, check: say what would be done; exit 10 when something would",
    },
  },
  examples: [
    { run: "bootwright release new v0.4.0", says: "the heads of all trunks become a release" },
    { run: "bootwright release check kernel", says: "the head of a trunk is green: a git note says so" },
    { run: "bootwright release tag v0.4.0", says: "the same annotated tag in each repository" },
    { run: "bootwright release verify", says: "nothing on record was changed, cut off or replaced" },
    { run: "bootwright release show v0.4.0", says: "its commits, artifacts and notes" },
    { run: "bootwright release diff v0.3.0 v0.4.0", says: "what changed between two" },
  ],
  about:
    "Releases of a platform: several repositories under one version. A release says which commit of each, and which artifacts by digest; a version never changes.",
  run: async ({ args, flags, session }) => {
    const action = ACTIONS.find((one) => one === args[0]) ?? "ls";
    const words = args.slice(1);
    const dryRun = flags["dry-run"] ?? false;
    switch (action) {
      case "new": {
        const [version] = need(words, { action, count: 1 });
        return (await import("../../api/release-new.ts")).releaseNew(session, { version: version!, dryRun });
      }
      case "tag": {
        const [version] = need(words, { action, count: 1 });
        return (await import("../../api/release-tag.ts")).releaseTag(session, { version: version!, dryRun });
      }
      case "check":
        return (await import("../../api/release-tag.ts")).releaseCheck(session, { names: words, dryRun });
      case "verify":
        need(words, { action, count: 0 });
        return (await import("../../api/release-verify.ts")).releaseVerify(session);
      case "show": {
        const [version] = need(words, { action, count: 1 });
        return (await import("../../api/release-show.ts")).releaseShow(session, { version: version! });
      }
      case "diff": {
        const [from, to] = need(words, { action, count: 2 });
        return (await import("../../api/release-show.ts")).releaseDiff(session, { from: from!, to: to! });
      }
      default:
        need(words, { action, count: 0 });
        return (await import("../../api/release-show.ts")).releaseList(session);
    }
  },
});

function need(words: readonly string[], { action, count }: { action: string; count: number }): readonly string[] {
  if (words.length === count) return words;
  const usage = Array.from({ length: count }, () => " VERSION").join("");
  throw new BootwrightError(
    "USAGE",
    `release ${action} takes ${["no version", "one version", "two versions"][count]}`,
    {
      hint: `bootwright release ${action}${usage}`,
    },
  );
}
