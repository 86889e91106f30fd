/** What runs where, since when, and what is next; and all that was done. */
import { findEnvironment, inOrder, refusalOf } from "../release/promotion.ts";
import { readRecord } from "../release/read-record.ts";
import { approversOf, type RecordState, runningIn } from "../release/record-state.ts";
import { compareVersions } from "../release/version.ts";
import { type Platform, withPlatform } from "./platform.ts";
import type { Report, Session } from "./session.ts";
import { alignColumns } from "./text-table.ts";

export function status(session: Session): Promise<Report> {
  return withPlatform(session, { writes: false }, async (platform) => {
    const { environments } = platform.project.config;
    const { state } = await readRecord(platform.target);
    const shown = inOrder(environments).map((name) => {
      const running = runningIn(state, name);
      return {
        ...{ name, after: environments[name]!.after ?? null },
        ...{ release: running?.release ?? null, digest: running?.digest ?? null },
        ...{ since: running?.since ?? null, by: running?.by ?? null },
        next: nextOf(platform, { state, environment: name }),
      };
    });
    const rows = shown.map(({ name, release, since, next }) => [
      ...[name, release ?? "-", since ?? "-"],
      next === null
        ? "-"
        : `${next.release}: ${next.ready ? `bootwright promote ${name} ${next.release}` : next.waits}`,
    ]);
    return {
      data: { environments: shown, serial: state.serial, newest: newest(state, () => true) ?? null },
      text: rows.length === 0 ? "" : alignColumns([["environment", "release", "since", "next"], ...rows]),
      summary: rows.length === 0 ? "the config has no environments" : "",
    };
  });
}

export function history(session: Session, { environment }: { environment?: string }): Promise<Report> {
  return withPlatform(session, { writes: false }, async ({ target, project }) => {
    const { environments } = project.config;
    if (environment !== undefined) findEnvironment({ environments, environment });
    const { chain } = await readRecord(target);
    const entries = chain.entries
      .filter((one) => environment === undefined || one.environment === environment)
      .map(({ serial, time, who, action, environment: where, release, releaseDigest, digest }) => ({
        ...{ serial, time, who, action, environment: where, release, releaseDigest, digest },
      }));
    return {
      data: { entries },
      text: alignColumns(
        entries.map(({ serial, time, action, release, environment: where, who }) => [
          ...[`${serial}`, time, action, release, where || "-", who],
        ]),
      ),
      summary: entries.length === 0 ? "nothing has happened yet" : "",
    };
  });
}

/** The newest release that comes from the environment before, newer than what runs; null when there is none. */
function nextOf({ project }: Platform, { state, environment }: { state: RecordState; environment: string }) {
  const { environments } = project.config;
  const { after, approvals } = environments[environment]!;
  const running = runningIn(state, environment)?.release;
  const before = after === undefined ? undefined : (state.environments.get(after) ?? []);
  const release = newest(
    state,
    (version) =>
      (running === undefined || compareVersions(version, running) > 0) &&
      (before === undefined || before.some((one) => one.release === version)),
  );
  if (release === undefined) return null;
  const { digest } = state.releases.get(release)!;
  const refusal = refusalOf(state, { environments, environment, release });
  return {
    ...{ release, digest, ready: refusal === undefined, waits: refusal?.why ?? "" },
    approvals: approversOf(state, { environment, digest }),
    needed: approvals,
  };
}

const newest = ({ releases }: RecordState, fits: (version: string) => boolean): string | undefined =>
  [...releases.keys()].filter(fits).sort(compareVersions).at(-1);
