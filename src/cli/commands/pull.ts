import { BootwrightError } from "../../base/errors.ts";
import { defineCommand } from "../command.ts";
import { given } from "../given.ts";

export const pull = defineCommand({
  args: [{ name: "artifact", many: true, summary: "artifacts of the release (default: all)" }],
  flags: {
    env: { type: "string", value: "NAME", summary: "of the release that runs in this environment" },
    release: { type: "string", value: "VERSION", summary: "of this release" },
    from: { type: "string", value: "NAME", summary: "whose releases: one of `sources.releases`" },
    to: { type: "string", value: "DIR", summary: "where to (default: out/)", complete: "directory" },
  },
  examples: [
    { run: "bootwright pull kernel --env prod", says: "the kernel that runs in prod, by its digest" },
    { run: "bootwright pull --release v0.4.0 --to ./download", says: "all artifacts of a release" },
  ],
  about:
    "Fetches artifacts of a platform's release into out/. The record says which release runs where, the release which digests it has; nothing else is taken.",
  run: async ({ args, flags, session }) => {
    const { env, release, from, to } = flags;
    if ((env === undefined) === (release === undefined))
      throw new BootwrightError("USAGE", "pull needs an environment or a release", {
        hint: "bootwright pull NAME --env prod, or --release v0.4.0",
      });
    const { pull: pullArtifacts } = await import("../../api/pull.ts");
    return pullArtifacts(session, {
      ...{ names: args, wish: env === undefined ? { version: release! } : { environment: env } },
      ...given({ from, to }),
    });
  },
});
