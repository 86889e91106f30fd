/**
 * Takes away what publishers that were killed have left in a directory or a bucket. Bytes that nothing names are set aside first, looked
 * up once more, and put back when a publisher has named them meanwhile; a day later they go for good. Whoever publishes looks for the
 * bytes once more after they are named. So whichever is first, one of the two sees what the other did. See docs/internals/sweeping.md.
 */
import { randomBytes } from "node:crypto";
import type { Place, SweptFile, SweptPlace } from "./place.ts";

/** Paths of bytes that a document names now. */
export type Named = (content: string) => boolean;

export interface SweepRules {
  /** Where a publisher puts bytes before it names them. */
  readonly folder: string;
  /** A file's name in that folder; it says what is in the file. */
  readonly content: RegExp;
  /** Where the documents are that name them. */
  readonly documents: string;
  /** By the newest document, and any that somebody may still read. */
  readonly named: Named;
  /** The same, read anew. */
  readonly readNamed: () => Promise<Named>;
  /** What goes when it is old, beside bytes and temporary files. */
  readonly isForgotten: (path: string) => boolean;
  /** Beside bytes: what a publisher may have begun to upload in parts. */
  readonly isUploaded: (path: string) => boolean;
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

/** Throws what reading the documents and writing there throws. */
export async function sweepPlace(place: SweptPlace, rules: SweepRules): Promise<readonly Swept[]> {
  const { named, dryRun } = rules;
  const before = (await place.now()) - SWEPT_AFTER;
  const all: SweptFile[] = [];
  for await (const one of place.list([rules.folder, rules.documents])) all.push(one);
  const swept: Swept[] = [];
  for (const one of all) {
    const content = asideOf(one.path, rules);
    if (content !== undefined) swept.push(...(await sweepAside(place, one, { ...rules, content, all, before })));
  }
  for (const one of all.filter(({ modified }) => modified < before)) {
    rules.signal.throwIfAborted();
    if (isContent(one.path, rules)) {
      if (!named(one.path) && (dryRun || (await setAside(place, one.path, { ...rules, before }))))
        swept.push({ path: one.path, size: one.size, action: "set aside" });
    } else if (one.temporary || rules.isForgotten(one.path)) {
      if (!dryRun) await place.remove(one.path);
      swept.push({ path: one.path, size: one.size, action: "removed" });
    }
  }
  const isOurs = (path: string) =>
    isContent(path, rules) || asideOf(path, rules) !== undefined || rules.isUploaded(path);
  for (const path of await place.endUploads({ before, isOurs, dryRun }))
    swept.push({ path, size: 0, action: "removed" });
  return swept;
}

/**
 * Puts bytes that are named back where a sweeper has set them aside and was killed. What lies aside stays there until it is old:
 * another sweeper may be about to take away what we put back. Nothing, where nothing lies aside.
 */
export async function putBack(place: Place | SweptPlace, content: string): Promise<void> {
  if (!("list" in place)) return;
  const name = content.slice(content.lastIndexOf("/") + 1);
  for await (const { path } of place.list([])) if (ASIDE.exec(path)?.[1] === name) return place.link(content, path);
}

const ASIDE = /^\.swept\/[0-9a-f]{16}\.(.+)$/;

/** A name that no other sweeper uses: what lies aside is one sweeper's own, and nobody takes it away before it is old. */
const newAside = (content: string): string =>
  `.swept/${randomBytes(8).toString("hex")}.${content.slice(content.lastIndexOf("/") + 1)}`;

/** The content that lies aside under this name; undefined for another file. */
function asideOf(path: string, { folder, content }: Pick<SweepRules, "folder" | "content">): string | undefined {
  const name = ASIDE.exec(path)?.[1];
  return name !== undefined && content.test(name) ? `${folder}/${name}` : undefined;
}

const isContent = (path: string, { folder, content }: Pick<SweepRules, "folder" | "content">): boolean =>
  path.startsWith(`${folder}/`) && content.test(path.slice(folder.length + 1));

/** False where it is named, young or gone by now. */
async function setAside(
  place: SweptPlace,
  path: string,
  { readNamed, before }: SweepRules & { readonly before: number },
): Promise<boolean> {
  const named = await readNamed();
  const there = await place.modified(path);
  if (named(path) || there === undefined || there >= before) return false;
  const aside = newAside(path);
  if (!(await place.move(path, aside))) return false;
  // Only now is it certain that who names it later also misses it.
  if (!(await readNamed())(path)) return true;
  await place.link(path, aside);
  return false;
}

/** What was set aside and is named comes back; the rest goes when it is old. */
async function sweepAside(
  place: SweptPlace,
  { path, size, modified }: SweptFile,
  {
    content,
    named,
    all,
    before,
    dryRun,
  }: Omit<SweepRules, "content"> & { content: string; all: readonly SweptFile[]; before: number },
): Promise<readonly Swept[]> {
  if (named(content) && !all.some((one) => one.path === content)) {
    if (!dryRun) await place.link(content, path);
    return [{ path: content, size, action: "put back" }];
  }
  if (modified >= before) return [];
  if (!dryRun) await place.remove(path);
  return [{ path, size, action: "removed" }];
}
