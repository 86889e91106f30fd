/** Releases of other projects' platforms, and the project's own: what runs in an environment, by digest. */
import { withoutAccount } from "../base/account.ts";
import { BootwrightError } from "../base/errors.ts";
import { didYouMean } from "../base/suggest.ts";
import { type ReleaseArtifact, readRelease, type StoredRelease } from "../release/document.ts";
import { findRelease } from "../release/promotion.ts";
import { type RecordSource, readRecord } from "../release/read-record.ts";
import { runningIn } from "../release/record-state.ts";
import { SeenRecord } from "../release/seen-record.ts";
import type { LockedRelease } from "../source/lock.ts";
import type { ReleaseRequest } from "../source/request.ts";
import { openReadable } from "./places.ts";
import { platformRecord } from "./platform.ts";
import type { Project } from "./project.ts";
import { loadRecordKeys } from "./record-keys.ts";

export interface ResolvedRelease extends StoredRelease {
  /** Of the record's last entry when it was asked. */
  readonly serial: number;
}

/** Which release is wanted: the one that runs in an environment, or one by its version. */
export type ReleaseWish = { readonly environment: string } | { readonly version: string };

/** `source`: of `sources.releases`; undefined for the project's own platform. Throws NAME_UNKNOWN, RECORD_BROKEN, OFFLINE. */
export async function resolveRelease(
  project: Project,
  { source, ...wish }: { source: string | undefined } & ReleaseWish,
): Promise<ResolvedRelease> {
  const record = source === undefined ? await platformRecord(project) : await sourceRecord(project, source);
  const { place, signal } = record;
  const { state } = await readRecord(record);
  const version = "version" in wish ? wish.version : runningIn(state, wish.environment)?.release;
  if (version === undefined) {
    const environment = "environment" in wish ? wish.environment : "";
    const names = [...state.environments.keys()];
    throw new BootwrightError(
      "NAME_UNKNOWN",
      `nothing runs in "${environment}" at ${place.address}${didYouMean(environment, names)}`,
      { hint: names.length === 0 ? "nothing was promoted yet" : `something runs in ${names.join(", ")}` },
    );
  }
  const { digest } = findRelease(state, version);
  return { ...(await readRelease(place, { version, digest, signal })), serial: state.serial };
}

export async function sourceRecord(project: Project, source: string): Promise<RecordSource> {
  const { config, session } = project;
  const { record, keys } = config.sources.releases[source]!;
  const place = await openReadable(project, record);
  const trusted = loadRecordKeys(keys, { dir: config.dir, whose: `the releases ${source}` });
  return {
    place,
    // Approvals were for who promotes; what was promoted is signed by the record's key.
    keys: { record: trusted, approvers: {} },
    seen: new SeenRecord(session.dataDir, place.address),
    signal: session.signal,
  };
}

/** By name, by "repository/name", or by its file's name. Throws NAME_UNKNOWN. */
export function findArtifact(
  { document }: StoredRelease,
  { name, arch }: { name: string; arch: string },
): ReleaseArtifact {
  const named = document.artifacts.filter(
    (one) => one.name === name || `${one.repository}/${one.name}` === name || one.file === name,
  );
  const fitting = named.length === 1 ? named : named.filter((one) => one.arch === arch || one.arch === "multi");
  if (fitting.length === 1) return fitting[0]!;
  const names = document.artifacts.map((one) => `${one.repository}/${one.name}`);
  if (fitting.length > 1)
    throw new BootwrightError("NAME_UNKNOWN", `${document.version} has several artifacts ${name}`, {
      hint: `say which: ${fitting.map((one) => one.file).join(", ")}`,
    });
  throw new BootwrightError(
    "NAME_UNKNOWN",
    `${document.version} has no artifact ${name}${named.length > 0 ? ` for ${arch}` : didYouMean(name, names)}`,
    { hint: names.length === 0 ? "the release has no artifacts at all" : `it has ${[...new Set(names)].join(", ")}` },
  );
}

/** Answers a request of a config's kernel. */
export async function pinRelease(project: Project, request: ReleaseRequest): Promise<LockedRelease> {
  const { source, environment, artifact: name, arch } = request;
  const release = await resolveRelease(project, { source, environment });
  const { size, sha256, address } = findArtifact(release, { name, arch });
  return {
    ...{ type: "release", version: release.document.version, release: release.digest },
    ...{ size, sha256, address: withoutAccount(address) },
  };
}

/** Of `sources.releases`; undefined for the project's own platform. Throws NAME_UNKNOWN, CONFIG_INVALID, USAGE. */
export function chooseSource({ config }: Project, from: string | undefined): string | undefined {
  const sources = Object.keys(config.sources.releases);
  if (from !== undefined) {
    if (sources.includes(from)) return from;
    throw new BootwrightError("NAME_UNKNOWN", `sources.releases has no "${from}"`, {
      hint: sources.length === 0 ? "it has none" : `there is ${sources.join(", ")}`,
    });
  }
  if (config.platform !== undefined) return undefined;
  if (sources.length === 1) return sources[0];
  throw new BootwrightError(
    sources.length === 0 ? "CONFIG_INVALID" : "USAGE",
    sources.length === 0 ? "the config names no releases to pull from" : "say which releases: --from",
    {
      hint:
        sources.length === 0
          ? 'add: sources: { releases: { truthdb: { record: "s3://…", keys: ["./release.pub"] } } }'
          : `there is ${sources.join(", ")}`,
    },
  );
}
