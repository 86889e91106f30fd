/** What no schema can say about a platform and its environments. */
import type { ConfigIssue } from "./issue.ts";
import type { ProjectOutput } from "./schema.ts";

export function platformIssues(config: ProjectOutput): readonly ConfigIssue[] {
  const { platform, environments } = config;
  const issues: ConfigIssue[] = [];
  const names = Object.keys(environments);
  if (names.length > 0 && platform === undefined)
    issues.push({
      path: ["environments"],
      message: "needs `platform`: the repositories that are released, and where the record lies",
      mark: "key",
    });
  const key = platform?.key === undefined ? undefined : config.keys[platform.key];
  if (platform?.key !== undefined && key !== undefined && key.type !== "ed25519")
    issues.push({
      path: ["keys", platform.key],
      message: "the record is signed with a key of type ed25519",
      mark: "key",
    });
  if (platform !== undefined && platform.key === undefined && platform.formerKeys.length > 0)
    issues.push({
      path: ["platform", "formerKeys"],
      message: "needs `key`: a record that was signed stays signed",
      mark: "key",
    });
  const approvers = Object.keys(platform?.approvers ?? {}).length;
  for (const [name, { approvals }] of Object.entries(environments)) {
    const cycle = cycleFrom(config, name);
    if (cycle !== undefined)
      issues.push({
        path: ["environments", name, "after"],
        message: `comes after itself: ${cycle.join(" → ")}`,
        mark: "value",
      });
    if (platform !== undefined && approvals > approvers)
      issues.push({
        path: ["environments", name, "approvals"],
        message: `needs ${approvals} approvals, and platform.approvers has ${approvers === 0 ? "nobody" : `only ${approvers}`}`,
        mark: "value",
      });
  }
  return issues;
}

function cycleFrom({ environments }: ProjectOutput, start: string): readonly string[] | undefined {
  const way = [start];
  for (let at = environments[start]?.after; at !== undefined; at = environments[at]?.after) {
    if (at === start) return [...way, start];
    if (way.includes(at)) return undefined; // A cycle further on: reported there.
    way.push(at);
  }
  return undefined;
}
