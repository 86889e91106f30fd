/** What a record means: which releases there are, what runs where, and what is approved. */
import type { Finding } from "./chain.ts";
import { type ChainedEntry, describeAction } from "./entry.ts";

export interface RecordState {
  /** Of the last entry; 0 for an empty record. */
  readonly serial: number;
  /** By version. */
  readonly releases: ReadonlyMap<string, KnownRelease>;
  /** What was promoted to each environment and not rolled back; the last one runs. */
  readonly environments: ReadonlyMap<string, readonly RunningRelease[]>;
  /** Approvals that still count. */
  readonly approvals: readonly Approval[];
}

export interface KnownRelease {
  readonly version: string;
  readonly digest: string;
  readonly time: string;
}

export interface RunningRelease {
  readonly release: string;
  readonly digest: string;
  readonly since: string;
  readonly by: string;
}

export interface Approval {
  readonly environment: string;
  readonly release: string;
  readonly digest: string;
  readonly who: string;
  readonly time: string;
}

/** Entries that cannot follow from those before them are findings: the chain holds, and yet nobody's command wrote them. */
export function foldRecord(
  entries: readonly ChainedEntry[],
  where: string,
): { readonly state: RecordState; readonly findings: readonly Finding[] } {
  const releases = new Map<string, KnownRelease>();
  const environments = new Map<string, readonly RunningRelease[]>();
  let approvals: readonly Approval[] = [];
  const findings: Finding[] = [];
  for (const entry of entries) {
    const { environment, release, releaseDigest: digest, who, time, serial } = entry;
    const impossible = (why: string) =>
      findings.push({
        ...{ kind: "impossible", where, serial },
        message: `${where}: entry ${serial} cannot be: ${describeAction(entry)}, but ${why}`,
      });
    const known = releases.get(release);
    if (entry.action === "release") {
      if (known !== undefined) impossible("the version was there already");
      else releases.set(release, { version: release, digest, time });
      continue;
    }
    if (known?.digest !== digest) {
      impossible(known === undefined ? "there is no such release before it" : "the release has another digest");
      continue;
    }
    const ran = environments.get(environment) ?? [];
    const running: RunningRelease = { release, digest, since: time, by: who };
    switch (entry.action) {
      case "approve":
        if (entry.counts) approvals = [...approvals, { environment, release, digest, who, time }];
        break;
      case "promote":
        environments.set(environment, [...ran, running]);
        break;
      case "rollback": {
        if (ran.at(-2)?.release !== release) {
          impossible(`what ran there before was ${ran.at(-2)?.release ?? "nothing"}`);
          break;
        }
        const left = ran.at(-1)!.release;
        environments.set(environment, [...ran.slice(0, -2), running]);
        // Whoever approved it did not know what made it come back.
        approvals = approvals.filter((one) => one.environment !== environment || one.release !== left);
      }
    }
  }
  return { state: { serial: entries.length, releases, environments, approvals }, findings };
}

export const runningIn = (state: RecordState, environment: string): RunningRelease | undefined =>
  state.environments.get(environment)?.at(-1);

/** Each approver counts once. */
export const approversOf = (
  state: RecordState,
  { environment, digest }: { environment: string; digest: string },
): readonly string[] => [
  ...new Set(
    state.approvals.filter((one) => one.environment === environment && one.digest === digest).map(({ who }) => who),
  ),
];
