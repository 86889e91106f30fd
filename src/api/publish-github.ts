/** Publishes as GitHub releases: all that goes to one repository under one tag is one release. */
import { publishRelease } from "../publish/github-release.ts";
import { loadCatalogKey } from "../sign/key-files.ts";
import { besideFiles } from "./attest-published.ts";
import { isoNow } from "./catalogs.ts";
import { openGithub } from "./github-place.ts";
import type { Project } from "./project.ts";
import type { BuiltPublication } from "./publications.ts";
import type { PublishedPlace } from "./publish.ts";

/** `some`: all that goes to this repository; by tag each is one release. */
export async function publishReleases(
  project: Project,
  { to, some, dryRun }: { to: string; some: readonly BuiltPublication[]; dryRun: boolean },
): Promise<PublishedPlace> {
  const { config, session } = project;
  const github = openGithub(session, to);
  const now = isoNow();
  const files: PublishedPlace["files"][number][] = [];
  for (const [tag, group] of Map.groupBy(some, ({ file }) => file.immutable[0]!)) {
    const sign = group.find(({ entry }) => entry.sign !== undefined)?.entry.sign;
    const { known } = await publishRelease(github, {
      ...{ repository: to.slice("github:".length), tag, files: group.map(({ file }) => file) },
      ...{ signal: session.signal, dryRun, now },
      beside: group.flatMap(({ entry: { attest }, file: { name, local }, provenance }) =>
        attest === undefined || provenance === undefined
          ? []
          : besideFiles(project, { name, local, provenance, key: attest.key }),
      ),
      latest: group.some(({ file }) => file.moving.includes("latest")),
      secret: sign === undefined ? undefined : loadCatalogKey(config.keys[sign]!, config.dir),
    });
    for (const { file } of group) {
      const { local: _, moving: __, ...entry } = file;
      files.push({ ...entry, digest: file.sha256, published: now, known });
    }
  }
  return { to, address: to, files, retired: [], left: [] };
}
