/** Shows releases: one, all, or what two differ in. */
import { EXIT } from "../base/error-codes.ts";
import type { Json } from "../base/json.ts";
import { type ReleaseDocument, readRelease } from "../release/document.ts";
import { formatNotes } from "../release/notes.ts";
import { findRelease, inOrder } from "../release/promotion.ts";
import { readRecord } from "../release/read-record.ts";
import { type RecordState, runningIn } from "../release/record-state.ts";
import { compareVersions } from "../release/version.ts";
import { type Platform, withPlatform } from "./platform.ts";
import type { Report, Session } from "./session.ts";
import { alignColumns } from "./text-table.ts";

export function releaseShow(session: Session, { version }: { version: string }): Promise<Report> {
  return withPlatform(session, { writes: false }, async (platform) => {
    const { state } = await readRecord(platform.target);
    const { document, digest } = await load(platform, state, version);
    const runsIn = whereRuns(platform, state, version);
    return {
      data: { release: releaseData(document), digest, environments: runsIn },
      text: releaseText(document),
      quiet: digest,
      summary: runsIn.length === 0 ? "" : `runs in ${runsIn.join(", ")}`,
    };
  });
}

export function releaseList(session: Session): Promise<Report> {
  return withPlatform(session, { writes: false }, async (platform) => {
    const { state } = await readRecord(platform.target);
    const releases = [...state.releases.values()]
      .sort((a, b) => compareVersions(b.version, a.version))
      .map(({ version, digest, time }) => ({
        ...{ version, digest, created: time },
        environments: whereRuns(platform, state, version),
      }));
    const rows = releases.map(({ version, created, digest, environments }) => [
      ...[version, created, `sha256:${digest.slice(0, 12)}`, environments.join(", ")],
    ]);
    return {
      data: { releases },
      text: rows.length === 0 ? "" : alignColumns([["release", "created", "digest", "runs in"], ...rows]),
      summary: rows.length === 0 ? "there are no releases yet: bootwright release new v0.1.0" : "",
    };
  });
}

/** Exit 10 when they differ. */
export function releaseDiff(session: Session, { from, to }: { from: string; to: string }): Promise<Report> {
  return withPlatform(session, { writes: false }, async (platform) => {
    const { state } = await readRecord(platform.target);
    const before = (await load(platform, state, from)).document;
    const after = (await load(platform, state, to)).document;
    const repositories = changes(
      mapValues(before.repositories, ({ commit }) => commit),
      mapValues(after.repositories, ({ commit }) => commit),
    );
    const artifacts = changes(digests(before), digests(after));
    const rows = [...repositories, ...artifacts].map(({ name, from: old, to: now }) => [
      ...[name, old?.slice(0, 12) ?? "-", "→", now?.slice(0, 12) ?? "-"],
    ]);
    return {
      data: { from, to, repositories, artifacts },
      text: alignColumns(rows),
      summary: rows.length === 0 ? `${from} and ${to} hold the same` : "",
      exit: rows.length === 0 ? EXIT.ok : EXIT.different,
    };
  });
}

export const releaseData = ({ artifacts, repositories, notes, ...rest }: ReleaseDocument): Json => ({
  ...rest,
  repositories: mapValues(repositories, (one) => ({ ...one })),
  artifacts: artifacts.map((one) => ({ ...one })),
  notes: mapValues(notes, (list) => list.map((one) => ({ ...one }))),
});

export function releaseText(document: ReleaseDocument): string {
  const { version, platform, created, who, previous, repositories, artifacts, notes } = document;
  const of = (rows: readonly (readonly string[])[]) => (rows.length === 0 ? [] : ["", alignColumns(rows)]);
  return [
    `${platform} ${version}, ${created}, by ${who}${previous === "" ? "" : `, after ${previous}`}`,
    ...of(Object.entries(repositories).map(([name, { commit, git }]) => [name, commit.slice(0, 12), git])),
    ...of(
      artifacts.map(({ name, size, sha256, address }) => [name, `${size}`, `sha256:${sha256.slice(0, 12)}`, address]),
    ),
    ...Object.entries(notes).flatMap(([name, list]) =>
      list.length === 0 ? [] : ["", `${name}:`, ...formatNotes(list).map((one) => `  * ${one}`)],
    ),
  ].join("\n");
}

const load = async ({ target }: Platform, state: RecordState, version: string) =>
  readRelease(target.place, { ...findRelease(state, version), signal: target.signal });

const whereRuns = ({ project }: Platform, state: RecordState, version: string): readonly string[] =>
  inOrder(project.config.environments).filter((name) => runningIn(state, name)?.release === version);

const digests = ({ artifacts }: ReleaseDocument): Readonly<Record<string, string>> =>
  Object.fromEntries(
    artifacts.map(({ name, repository, arch, sha256 }) => [`${repository}/${name} (${arch})`, sha256]),
  );

function changes(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names
    .filter((name) => before[name] !== after[name])
    .map((name) => ({ name, from: before[name] ?? null, to: after[name] ?? null }));
}

const mapValues = <T, R>(map: Readonly<Record<string, T>>, change: (value: T) => R): Readonly<Record<string, R>> =>
  Object.fromEntries(Object.entries(map).map(([name, value]) => [name, change(value)]));
