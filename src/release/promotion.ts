/** The rules of promotion: along the declared order, forward, with approvals. Each answers with the entry to write, or none. */
import { BootwrightError } from "../base/errors.ts";
import { didYouMean } from "../base/suggest.ts";
import type { RecordEntry } from "./entry.ts";
import { approversOf, type KnownRelease, type RecordState, runningIn } from "./record-state.ts";
import type { EnvironmentConfig } from "./schema.ts";
import { compareVersions } from "./version.ts";

export type Environments = Readonly<Record<string, Readonly<EnvironmentConfig>>>;

/** What a command adds to the record. */
export type Draft = Pick<RecordEntry, "action" | "environment" | "release" | "releaseDigest" | "who">;

interface Wish {
  readonly environments: Environments;
  readonly environment: string;
  readonly release: string;
  readonly who: string;
}

/** Undefined: it runs there already. Throws PROMOTION_REFUSED, NAME_UNKNOWN. */
export function promote(state: RecordState, wish: Wish): Draft | undefined {
  const { environment, release, who } = wish;
  const known = findRelease(state, release);
  if (runningIn(state, findEnvironment(wish))?.release === release) return undefined;
  const refusal = refusalOf(state, wish);
  if (refusal !== undefined) throw new BootwrightError("PROMOTION_REFUSED", refusal.why, { hint: refusal.hint });
  return { action: "promote", environment, release, releaseDigest: known.digest, who };
}

/** Undefined: that approver has approved it already. Throws NAME_UNKNOWN. */
export function approve(state: RecordState, wish: Wish): Draft | undefined {
  const { environment, release, who } = wish;
  findEnvironment(wish);
  const { digest } = findRelease(state, release);
  if (approversOf(state, { environment, digest }).includes(who)) return undefined;
  return { action: "approve", environment, release, releaseDigest: digest, who };
}

/** To what ran there before. Throws PROMOTION_REFUSED when nothing did, NAME_UNKNOWN. */
export function rollback(state: RecordState, wish: Omit<Wish, "release">): Draft {
  const { environment, who } = wish;
  findEnvironment(wish);
  const before = state.environments.get(environment)?.at(-2);
  if (before === undefined)
    throw new BootwrightError("PROMOTION_REFUSED", `nothing ran in ${environment} before`, {
      hint: `bootwright history ${environment}`,
    });
  return { action: "rollback", environment, release: before.release, releaseDigest: before.digest, who };
}

/** Why a release may not go to an environment now, and what to do; undefined when it may. */
export function refusalOf(
  state: RecordState,
  { environments, environment, release }: Omit<Wish, "who">,
): { readonly why: string; readonly hint: string } | undefined {
  const { after, approvals } = environments[environment]!;
  const running = runningIn(state, environment)?.release;
  if (running !== undefined && compareVersions(release, running) < 0)
    return {
      why: `${environment} runs ${running}, and ${release} is older: promotion goes forward only`,
      hint: `to go back to what ran before: bootwright rollback ${environment}`,
    };
  if (after !== undefined && !(state.environments.get(after) ?? []).some((one) => one.release === release))
    return {
      why: `${release} has not run in ${after}, which comes before ${environment}`,
      hint: `bootwright promote ${after} ${release}`,
    };
  const { digest } = findRelease(state, release);
  const given = approversOf(state, { environment, digest });
  if (given.length < approvals)
    return {
      why: `${release} needs ${approvals} approval${approvals === 1 ? "" : "s"} for ${environment} and has ${given.length}${given.length === 0 ? "" : ` (${given.join(", ")})`}`,
      hint: `an approver: bootwright approve ${environment} ${release} --key FILE`,
    };
  return undefined;
}

/** Throws NAME_UNKNOWN. */
export function findRelease(state: RecordState, version: string): KnownRelease {
  const found = state.releases.get(version);
  if (found !== undefined) return found;
  const names = [...state.releases.keys()];
  throw new BootwrightError("NAME_UNKNOWN", `there is no release ${version}${didYouMean(version, names)}`, {
    hint: names.length === 0 ? `bootwright release new ${version}` : "bootwright release ls",
  });
}

/** Its name. Throws NAME_UNKNOWN. */
export function findEnvironment({
  environments,
  environment,
}: {
  environments: Environments;
  environment: string;
}): string {
  if (Object.hasOwn(environments, environment)) return environment;
  const names = Object.keys(environments);
  throw new BootwrightError(
    "NAME_UNKNOWN",
    `no environment is named "${environment}"${didYouMean(environment, names)}`,
    {
      hint:
        names.length === 0 ? "add: environments: { test: {}, prod: { after: test } }" : `there is ${names.join(", ")}`,
    },
  );
}

/** Environments in the order in which a release passes them. */
export function inOrder(environments: Environments): readonly string[] {
  const depth = (name: string): number => {
    const { after } = environments[name]!;
    return after === undefined ? 0 : depth(after) + 1;
  };
  return Object.keys(environments).sort((a, b) => depth(a) - depth(b));
}
