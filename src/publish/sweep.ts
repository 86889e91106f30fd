/** What dead publishers of files have left in a place: bytes that no state lists, and names that were taken back. See docs/internals/sweeping.md. */
import type { SweptPlace } from "../base/place.ts";
import { type Swept, sweepPlace } from "../base/sweep.ts";
import { contentPath, newestState } from "./read.ts";
import type { PublishedState } from "./state.ts";

export interface SweepOptions {
  /** Endings of files that lie beside a published one, and go with it. */
  readonly beside: readonly string[];
  readonly signal: AbortSignal;
  /** Say what would be done. */
  readonly dryRun: boolean;
}

/** Throws what reading the state and writing there throws. */
export async function sweepFiles(place: SweptPlace, options: SweepOptions): Promise<readonly Swept[]> {
  const { beside, ...rest } = options;
  const read = async () => (await newestState(place, options.signal))?.state;
  const state = await read();
  const named = namesOf(state);
  return sweepPlace(place, {
    ...rest,
    ...{ folder: "files", content: /^sha256-[0-9a-f]{64}\.[^/]+$/, documents: "published" },
    named: isListed(state),
    readNamed: async () => isListed(await read()),
    isForgotten: (path) => isForgotten(path, { state, named, beside }),
    isUploaded: (path) => named.has(path) || isForgotten(path, { state, named, beside: [] }),
  });
}

const isListed = (state: PublishedState | undefined): ((content: string) => boolean) => {
  const listed = new Set(state?.files.map(contentPath));
  return (content) => listed.has(content);
};

const namesOf = (state: PublishedState | undefined): ReadonlySet<string> =>
  new Set([...(state?.files ?? []).map(({ name }) => name), ...Object.keys(state?.moving ?? {})]);

/** A name that was taken back, or what lay beside it: it never means anything again. */
function isForgotten(
  path: string,
  {
    state,
    named,
    beside,
  }: { state: PublishedState | undefined; named: ReadonlySet<string>; beside: readonly string[] },
): boolean {
  if (named.has(path)) return false;
  const isRetired = ["", ...beside].some((ending) => state?.retired.some(({ name }) => path === `${name}${ending}`));
  return isRetired && !isBeside(path, { named, beside });
}

/** "a.tar.sig" where "a.tar" is published. */
const isBeside = (
  path: string,
  { named, beside }: { named: ReadonlySet<string>; beside: readonly string[] },
): boolean => beside.some((ending) => path.endsWith(ending) && named.has(path.slice(0, -ending.length)));
