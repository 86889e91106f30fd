/** Digests of what runs in environments, or ran before and may be rolled back to: no retention takes it away. */
import { readRelease } from "../release/document.ts";
import { readRecord } from "../release/read-record.ts";
import { platformRecord } from "./platform.ts";
import type { Project } from "./project.ts";
import { sourceRecord } from "./release-sources.ts";

/** Of an artifact's digest the environments, such as "prod"; with "before prod" for what a rollback would bring back. */
export type Running = ReadonlyMap<string, readonly string[]>;

/** Of the project's own platform, and of all `sources.releases`. Throws what reading a record throws. */
export async function runningIn(project: Project): Promise<Running> {
  const { platform, sources } = project.config;
  const records = [
    ...(platform === undefined ? [] : [await platformRecord(project)]),
    ...(await Promise.all(Object.keys(sources.releases).map((name) => sourceRecord(project, name)))),
  ];
  const running = new Map<string, string[]>();
  for (const record of records) {
    const { state } = await readRecord(record);
    const documents = new Map<string, ReturnType<typeof readRelease>>();
    for (const [environment, ran] of state.environments)
      for (const [i, { release: version, digest }] of ran.slice(-2).reverse().entries()) {
        const read = documents.get(version) ?? readRelease(record.place, { version, digest, signal: record.signal });
        documents.set(version, read);
        for (const { sha256 } of (await read).document.artifacts)
          running.set(sha256, [...(running.get(sha256) ?? []), i === 0 ? environment : `before ${environment}`]);
      }
  }
  return running;
}

export const runningDigests = async (project: Project): Promise<ReadonlySet<string>> =>
  new Set((await runningIn(project)).keys());
