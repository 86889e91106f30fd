/** Digests of what runs in environments, or ran before and may be rolled back to: no retention takes it away. */
import { readRelease } from "../release/document.ts";
import { readRecord } from "../release/read-record.ts";
import { platformRecord } from "./platform.ts";
import type { Project } from "./project.ts";
import { sourceRecord } from "./release-sources.ts";

/** Of the project's own platform, and of all `sources.releases`. Throws what reading a record throws. */
export async function runningDigests(project: Project): Promise<ReadonlySet<string>> {
  const { platform, sources } = project.config;
  const records = [
    ...(platform === undefined ? [] : [await platformRecord(project)]),
    ...(await Promise.all(Object.keys(sources.releases).map((name) => sourceRecord(project, name)))),
  ];
  const digests = new Set<string>();
  for (const record of records) {
    const { state } = await readRecord(record);
    const running = [...state.environments.values()].flatMap((ran) => ran.slice(-2));
    const releases = new Map(running.map(({ release, digest }) => [release, digest]));
    for (const [version, digest] of releases) {
      const { document } = await readRelease(record.place, { version, digest, signal: record.signal });
      for (const { sha256 } of document.artifacts) digests.add(sha256);
    }
  }
  return digests;
}
