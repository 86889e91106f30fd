/** Publishes as GitHub releases: the token and the API's address come from the environment, as in GitHub's own workflows. */
import { BootwrightError } from "../base/errors.ts";
import { Github } from "../publish/github-api.ts";
import { publishRelease } from "../publish/github-release.ts";
import { loadCatalogKey } from "../sign/key-files.ts";
import { isoNow } from "./catalogs.ts";
import type { Project } from "./project.ts";
import type { BuiltPublication } from "./publications.ts";
import type { PublishedPlace } from "./publish.ts";

/** `some`: all that goes to this repository; by tag each is one release. */
export async function publishReleases(
  { config, session }: Project,
  { to, some, dryRun }: { to: string; some: readonly BuiltPublication[]; dryRun: boolean },
): Promise<PublishedPlace> {
  const { env, signal, offline } = session;
  if (offline) throw new BootwrightError("OFFLINE", `${to} would be asked, which --offline forbids`);
  const token = env.GITHUB_TOKEN || env.GH_TOKEN || undefined;
  const github = new Github({ api: env.GITHUB_API_URL || "https://api.github.com", token, signal });
  const files: PublishedPlace["files"][number][] = [];
  for (const [tag, group] of Map.groupBy(some, ({ file }) => file.immutable[0]!)) {
    const sign = group.find(({ entry }) => entry.sign !== undefined)?.entry.sign;
    const { known } = await publishRelease(github, {
      ...{ repository: to.slice("github:".length), tag, files: group.map(({ file }) => file), signal, dryRun },
      latest: group.some(({ file }) => file.moving.includes("latest")),
      secret: sign === undefined ? undefined : loadCatalogKey(config.keys[sign]!, config.dir),
    });
    for (const { file } of group) {
      const { local: _, moving: __, ...entry } = file;
      files.push({ ...entry, digest: file.sha256, published: isoNow(), known });
    }
  }
  return { to, address: to, files, retired: [], left: [] };
}
