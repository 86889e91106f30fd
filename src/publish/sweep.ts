/**
 * Takes away what publishers that were killed have left in a directory or a bucket. Bytes that no state lists are set aside first, looked
 * up in the state once more, and put back when a publisher has named them meanwhile; a day later they go for good. Whoever publishes
 * looks for the bytes once more after they are named. So whichever is first, one of the two sees what the other did. See
 * docs/internals/sweeping.md.
 */
import { randomBytes } from "node:crypto";
import type { SweptFile, SweptPlace } from "../base/place.ts";
import { contentPath, newestState } from "./read.ts";
import type { PublishedState } from "./state.ts";

export interface SweepOptions {
  /** Endings of files that lie beside a published one, and go with it. */
  readonly beside: readonly string[];
  readonly signal: AbortSignal;
  /** Say what would be done. */
  readonly dryRun: boolean;
}

export interface Swept {
  /** Below the place. */
  readonly path: string;
  /** Bytes; 0 where they are not known. */
  readonly size: number;
  readonly action: "set aside" | "removed" | "put back";
}

/** What is younger may be of a publisher at work: milliseconds by the place's clock. */
export const SWEPT_AFTER = 24 * 60 * 60 * 1000;

const CONTENT = /^files\/(sha256-[0-9a-f]{64}\.[^/]+)$/;
const ASIDE = /^\.swept\/[0-9a-f]{16}\.(sha256-[0-9a-f]{64}\.[^/]+)$/;

/** A name that no other sweeper uses: what lies aside is one sweeper's own, and nobody takes it away before it is old. */
const newAside = (content: string): string => content.replace(/^files\//, `.swept/${randomBytes(8).toString("hex")}.`);

/** The content that lies aside under this name; undefined for another file. */
function contentOf(aside: string): string | undefined {
  const name = ASIDE.exec(aside)?.[1];
  return name === undefined ? undefined : `files/${name}`;
}

/** Throws what reading the state and writing there throws. */
export async function sweepPlace(place: SweptPlace, options: SweepOptions): Promise<readonly Swept[]> {
  const { signal } = options;
  const state = (await newestState(place, signal))?.state;
  const before = (await place.now()) - SWEPT_AFTER;
  const all: SweptFile[] = [];
  for await (const one of place.list()) all.push(one);
  const old = all.filter(({ modified }) => modified < before);
  const swept: Swept[] = [];
  for (const one of all.filter(({ path }) => ASIDE.test(path)))
    swept.push(...(await sweepAside(place, one, { ...options, state, all, before })));
  const named = namesOf(state);
  for (const one of old) {
    signal.throwIfAborted();
    if (CONTENT.test(one.path)) swept.push(...(await setAside(place, one, { ...options, state, before })));
    else if (one.temporary || isForgotten(one.path, { state, named, beside: options.beside })) {
      if (!options.dryRun) await place.remove(one.path);
      swept.push({ path: one.path, size: one.size, action: "removed" });
    }
  }
  const isOurs = (path: string) =>
    CONTENT.test(path) || ASIDE.test(path) || named.has(path) || isForgotten(path, { state, named, beside: [] });
  for (const path of await place.endUploads({ before, isOurs, dryRun: options.dryRun }))
    swept.push({ path, size: 0, action: "removed" });
  return swept;
}

/**
 * Puts a listed file's bytes back where a sweeper has set them aside and was killed. What lies aside stays there until it is old:
 * another sweeper may be about to take away what we put back. Nothing, where nothing lies aside.
 */
export async function putBack(place: SweptPlace, content: string): Promise<void> {
  for await (const { path } of place.list()) if (contentOf(path) === content) return place.link(content, path);
}

interface Sweeping extends SweepOptions {
  readonly state: PublishedState | undefined;
  /** By the place's clock. */
  readonly before: number;
}

async function setAside(
  place: SweptPlace,
  { path, size }: SweptFile,
  { state, before, signal, dryRun }: Sweeping,
): Promise<readonly Swept[]> {
  if (isListed(state, path)) return [];
  if (!dryRun) {
    const now = (await newestState(place, signal))?.state;
    const there = await place.modified(path);
    if (isListed(now, path) || there === undefined || there >= before) return [];
    const aside = newAside(path);
    if (!(await place.move(path, aside))) return [];
    // Only now is it certain that who names it later also misses it.
    if (isListed((await newestState(place, signal))?.state, path)) {
      await place.link(path, aside);
      return [];
    }
  }
  return [{ path, size, action: "set aside" }];
}

/** What was set aside and is listed comes back; the rest goes when it is old. */
async function sweepAside(
  place: SweptPlace,
  { path, size, modified }: SweptFile,
  { state, all, before, dryRun }: Sweeping & { readonly all: readonly SweptFile[] },
): Promise<readonly Swept[]> {
  const content = contentOf(path)!;
  const isThere = all.some((one) => one.path === content);
  if (isListed(state, content) && !isThere) {
    if (!dryRun) await place.link(content, path);
    return [{ path: content, size, action: "put back" }];
  }
  if (modified >= before) return [];
  if (!dryRun) await place.remove(path);
  return [{ path, size, action: "removed" }];
}

const isListed = (state: PublishedState | undefined, content: string): boolean =>
  state?.files.some((file) => contentPath(file) === content) ?? false;

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
