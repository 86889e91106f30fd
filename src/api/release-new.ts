/** Makes a release: which commit of each repository, which artifacts, and what is new since the release before. */
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { changeRecord } from "../release/change-record.ts";
import { findRelease, type ReleaseDocument, readRelease, sameRelease, storeRelease } from "../release/document.ts";
import { readRecord } from "../release/read-record.ts";
import type { RecordState } from "../release/record-state.ts";
import { fetchTrunk, notesBetween, type Trunk } from "../release/trunk.ts";
import { checkVersion, compareVersions } from "../release/version.ts";
import { isoNow } from "./catalogs.ts";
import { needNetwork, type Platform, withGit, withPlatform } from "./platform.ts";
import { publishedArtifacts } from "./release-artifacts.ts";
import { releaseData, releaseText } from "./release-show.ts";
import type { Report, Session } from "./session.ts";

export async function releaseNew(
  session: Session,
  { version, dryRun }: { version: string; dryRun: boolean },
): Promise<Report> {
  checkVersion(version);
  return withPlatform(session, { writes: !dryRun }, async (platform) => {
    const { target, who } = platform;
    const { place, signal } = target;
    const { state } = await readRecord(target);
    const document = await describe(platform, { version, state });
    if (dryRun) {
      const there = await findRelease(place, version, signal);
      if (there !== undefined) await sameRelease(place, { there, document, signal });
      const known = state.releases.has(version);
      return {
        data: { release: releaseData(there?.document ?? document), digest: there?.digest ?? null, known, dryRun },
        text: known ? `${version} is released already` : `would release\n${releaseText(document)}`,
        exit: known ? EXIT.ok : EXIT.different,
      };
    }
    const stored = await storeRelease(place, document, signal);
    const { entry } = await changeRecord(target, {
      decide: ({ releases }) => {
        const known = releases.get(version);
        if (known === undefined)
          return { action: "release", environment: "", release: version, releaseDigest: stored.digest, who };
        if (known.digest === stored.digest) return undefined;
        throw new BootwrightError("RECORD_BROKEN", `${version} is not the document that the record has`, {
          hint: "bootwright release verify",
        });
      },
      now: isoNow,
      dryRun: false,
    });
    const known = entry === undefined;
    return {
      data: { release: releaseData(stored.document), digest: stored.digest, known, dryRun },
      text: known ? `${version} is released already` : `released\n${releaseText(stored.document)}`,
      quiet: stored.digest,
      summary: `next: bootwright release tag ${version}`,
    };
  });
}

async function describe(
  platform: Platform,
  { version, state }: { version: string; state: RecordState },
): Promise<ReleaseDocument> {
  const { project, target, repositories } = platform;
  needNetwork(project.session, repositories);
  const older = [...state.releases.values()]
    .filter((one) => compareVersions(one.version, version) < 0)
    .sort((a, b) => compareVersions(b.version, a.version))[0];
  const before = older && (await readRelease(target.place, { ...older, signal: target.signal })).document;
  return withGit(platform, async (workspace) => {
    const trunks: Trunk[] = [];
    for (const repository of repositories) trunks.push(await fetchTrunk(workspace, repository));
    const notes: [string, ReleaseDocument["notes"][string]][] = [];
    for (const trunk of trunks) {
      const { name } = trunk.repository;
      const since = before?.repositories[name]?.commit;
      notes.push([name, await notesBetween(workspace, trunk, { since, commit: trunk.head })]);
    }
    return {
      version,
      platform: project.config.name,
      created: isoNow(),
      who: platform.who,
      previous: older?.version ?? "",
      repositories: Object.fromEntries(
        trunks.map(({ repository, head }) => [
          repository.name,
          { git: repository.shown, trunk: repository.trunk, commit: head },
        ]),
      ),
      artifacts: await publishedArtifacts(platform, version),
      notes: Object.fromEntries(notes),
    };
  });
}
