/** Publishes as GitHub releases: all that goes to one repository under one tag is one release. */
import { publishRelease } from "../publish/github-release.ts";
import { addStatement } from "../publish/github-statements.ts";
import { loadCatalogKey } from "../sign/key-files.ts";
import { besideFiles, furtherStatement } from "./attest-published.ts";
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
  const release = { repository: to.slice("github:".length), signal: session.signal };
  const files: PublishedPlace["files"][number][] = [];
  for (const [tag, group] of Map.groupBy(some, ({ file }) => file.immutable[0]!)) {
    const sign = group.find(({ entry }) => entry.sign !== undefined)?.entry.sign;
    const attested = group.flatMap(({ entry: { attest }, file: { name, local }, provenance }) =>
      attest === undefined || provenance === undefined ? [] : [{ name, local, provenance, key: attest.key }],
    );
    const { known } = await publishRelease(github, {
      ...{ ...release, tag, files: group.map(({ file }) => file), dryRun, now },
      beside: attested.flatMap((about) => besideFiles(project, about)),
      latest: group.some(({ file }) => file.moving.includes("latest")),
      secret: sign === undefined ? undefined : loadCatalogKey(config.keys[sign]!, config.dir),
    });
    for (const about of known && !dryRun ? attested : []) {
      const added = await addStatement(github, { ...release, tag, ...furtherStatement(project, about) });
      if (added === "immutable" || added === "full")
        session.emit({
          type: "warning",
          text: `${to}@${tag}: ${UNSAID[added]} ${about.name}; publish it as the next version`,
        });
    }
    for (const { file } of group) {
      const { local: _, moving: __, ...entry } = file;
      files.push({ ...entry, digest: file.sha256, published: now, known });
    }
  }
  return { to, address: to, files, retired: [], left: [] };
}

const UNSAID = {
  immutable: "the release is immutable, so no statement can be added about how this build made",
  full: "there are 64 statements already, so none is added about how this build made",
} as const;
