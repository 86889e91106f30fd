/**
 * Publishes files. Their bytes go first, to where their digest names them; then the next state is made, which only one
 * publisher can (the loser goes on from the winner's); last the names and lists are written from the newest state. Killed
 * anywhere, a name means what it meant before or the whole new file, and the next publisher writes what is behind.
 */
import type { KeyObject } from "node:crypto";
import { systemClock } from "../base/clock.ts";
import { BootwrightError } from "../base/errors.ts";
import { keyName, minisignKeyOf, signMinisign } from "../formats/minisign.ts";
import { nameConflict, ownNames } from "./name-conflict.ts";
import { type FoundState, newestState, readState } from "./read.ts";
import { retain } from "./retention.ts";
import { CURRENT, encodeState, type PublishedFile, type PublishedState, statePath } from "./state.ts";
import type { NewFile, PublishTarget } from "./target.ts";
import { writeViews } from "./views.ts";

export interface PublishFilesOptions {
  readonly files: readonly NewFile[];
  /** How many files of a publication stay, by publication. */
  readonly keep: Readonly<Record<string, number>>;
  /** SHA-256 of files or manifests that stay in any case: hex. */
  readonly protectedDigests: ReadonlySet<string>;
  /** Lists to write, beside those that are written already. */
  readonly views: readonly string[];
  /** Ed25519; signs SHA256SUMS. */
  readonly secret: KeyObject | undefined;
  /** ISO 8601, UTC. */
  readonly now: string;
  readonly signal: AbortSignal;
  /** Say what would be done. */
  readonly dryRun: boolean;
}

export interface PublishedFiles {
  readonly files: readonly (PublishedFile & { readonly known: boolean })[];
  /** Names of files that are (or would be) taken away. */
  readonly retired: readonly string[];
  /** Of those, what the place could not take away: it stays there, and is no longer listed. */
  readonly left: readonly string[];
}

/** How often another publisher may be first. */
const ATTEMPTS = 30;

/** Throws EXISTS when a name means other bytes, and what reading and writing throws. */
export async function publishFiles(target: PublishTarget, options: PublishFilesOptions): Promise<PublishedFiles> {
  const { signal, dryRun } = options;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const before = await newestState(target.documents, signal);
    requireKey(target, before?.state, options.secret);
    const named = ownNames(target, before?.state, options.files);
    const all = named.map((file) => ({ file, entry: entryOf(target, file, options.now) }));
    const known = new Map(all.map(({ file }) => [file, nameConflict(target, before?.state, file)]));
    const fresh = all.filter(({ file }) => known.get(file) === undefined);
    const result = {
      files: all.map(({ file, entry }) => ({
        ...(known.get(file) ?? entry),
        known: known.has(file) && known.get(file) !== undefined,
      })),
      retired: [] as string[],
      left: [] as readonly string[],
    };
    if (fresh.length === 0) {
      if (!dryRun) await putMissing(target, { all, known });
      if (!dryRun && before !== undefined && before.settled < before.state.serial)
        return { ...result, left: await settle(target, before.state, { ...options, settled: before.settled }) };
      return result;
    }
    const taken = await foreignName(target, before?.state, {
      fresh: fresh.map(({ entry }) => entry),
      views: options.views,
    });
    if (taken !== undefined) {
      if ((await newestState(target.documents, signal))?.digest !== before?.digest) continue; // Another publisher's, just now.
      throw new BootwrightError(
        "EXISTS",
        `${target.documents.address}: ${taken} is there, and was not published by Bootwright`,
        {
          hint: "publish under another name, or to another place",
        },
      );
    }
    const next = nextState(target, before, { fresh, ...options });
    const retired = next.retired.slice(before?.state.retired.length ?? 0).map(({ name }) => name);
    if (dryRun) return { ...result, retired };
    for (const { file } of fresh) {
      signal.throwIfAborted();
      await target.put(file);
    }
    if (!(await target.documents.create(statePath(next.serial), encodeState(next)))) continue;
    await putMissing(target, { all, known });
    return { ...result, retired, left: await settle(target, next, { ...options, settled: before?.settled ?? 0 }) };
  }
  throw new BootwrightError("STORE_LOCKED", `${target.documents.address}: others publish all the time`, {
    hint: "try again",
  });
}

/**
 * A sweeper may have taken bytes for left over just before they were named. It looks at the state behind that, we look at the bytes
 * behind naming them: whoever comes last sees what the other did.
 */
async function putMissing(
  target: PublishTarget,
  {
    all,
    known,
  }: {
    all: readonly { readonly file: NewFile; readonly entry: PublishedFile }[];
    known: ReadonlyMap<NewFile, PublishedFile | undefined>;
  },
): Promise<void> {
  for (const { file, entry } of all) {
    const named = known.get(file) ?? entry;
    if (named.digest === entry.digest && !(await target.holds(named))) await target.put(file);
  }
}

function entryOf(target: PublishTarget, file: NewFile, published: string): PublishedFile {
  const { local: _, moving: __, ...entry } = file;
  return { ...entry, digest: target.digestOf(file), published };
}

function nextState(
  target: PublishTarget,
  before: FoundState | undefined,
  options: PublishFilesOptions & { fresh: readonly { file: NewFile; entry: PublishedFile }[] },
): PublishedState {
  const { fresh, views, secret, now } = options;
  const moved = fresh.flatMap(({ file }) => file.moving.map((name) => [target.movingName(name, file), file.name]));
  const moving = { ...before?.state.moving, ...Object.fromEntries(moved) };
  const files = [...fresh.map(({ entry }) => entry), ...(before?.state.files ?? [])];
  const { kept, retired } = retain(files, { ...options, moving });
  return {
    serial: (before?.state.serial ?? 0) + 1,
    updated: now,
    previous: before?.digest ?? "",
    files: kept,
    moving,
    retired: [
      ...(before?.state.retired ?? []),
      ...retired.map(({ publication, name, immutable, sha256, digest }) => ({
        ...{ publication, name, immutable, sha256, digest },
      })),
    ],
    views: target.lists ? [...new Set([...(before?.state.views ?? []), ...views])].sort() : [],
    signedBy: secret === undefined ? "" : keyName(minisignKeyOf(secret).id),
  };
}

/** A name that the state knows nothing of, and that something has all the same. */
async function foreignName(
  target: PublishTarget,
  state: PublishedState | undefined,
  { fresh, views }: { fresh: readonly PublishedFile[]; views: readonly string[] },
): Promise<string | undefined> {
  for (const file of fresh) for (const name of target.namesOf(file)) if (await target.isTaken(name, file)) return name;
  if (state === undefined && target.lists)
    for (const name of views) if (await target.isTaken(name, fresh[0]!)) return name;
  return undefined;
}

/**
 * Writes names and lists from the state. Two publishers may do so in either order: whoever comes last looks whether its state
 * is still the newest. Gives what could not be taken away.
 */
async function settle(
  target: PublishTarget,
  first: PublishedState,
  { settled, secret, signal }: PublishFilesOptions & { settled: number },
): Promise<readonly string[]> {
  const left = new Set<string>();
  const before = settled === 0 ? undefined : await readState(target.documents, settled, signal);
  for (let [state, failures] = [first, 0]; ; ) {
    const behind = await writeNames(target, state, { secret, signal }).then(
      () => undefined,
      (error: unknown) => ({ error }),
    );
    if (behind === undefined) {
      for (const file of state.retired.slice(before?.state.retired.length ?? 0)) {
        const isListed = async () =>
          (await newestState(target.documents, signal))!.state.files.some(({ digest }) => digest === file.digest);
        if (!(await target.remove(file, { isListed }))) left.add(file.name);
      }
      await target.documents.replace(CURRENT, Buffer.from(`${state.serial}\n`));
    }
    signal.throwIfAborted();
    const next = await readState(target.documents, state.serial + 1, signal);
    // What a newer state has taken away cannot be named any more: then the newer one is what counts.
    if (next === undefined && behind !== undefined) {
      failures++;
      if (failures === ATTEMPTS_TO_NAME || (failures > 3 && !(await lacksBytes(target, state)))) throw behind.error;
      await systemClock.sleep(WAIT * 2 ** failures, signal);
      continue;
    }
    // Lists under another's signature are theirs to write.
    if (next === undefined || (next.state.signedBy !== "" && next.state.signedBy !== state.signedBy)) return [...left];
    state = next.state;
  }
}

/** How often names are tried, and the first wait in milliseconds, doubled each time: some ten seconds in all. */
const [ATTEMPTS_TO_NAME, WAIT] = [9, 20];

/** A sweeper that has just taken bytes away sees that they are named, and puts them back. */
async function lacksBytes(target: PublishTarget, { files }: PublishedState): Promise<boolean> {
  for (const file of files) if (!(await target.holds(file))) return true;
  return false;
}

async function writeNames(
  target: PublishTarget,
  state: PublishedState,
  { secret, signal }: { secret: KeyObject | undefined; signal: AbortSignal },
): Promise<void> {
  for (const file of state.files)
    for (const name of target.namesOf(file)) await target.link(name, file, { moves: false });
  for (const { name, bytes } of writeViews(state)) {
    signal.throwIfAborted();
    await target.documents.replace(name, bytes);
    if (name === "SHA256SUMS" && secret !== undefined)
      await target.documents.replace(`${name}.minisig`, signSums(bytes, { secret, serial: state.serial }));
  }
  for (const [name, to] of Object.entries(state.moving)) {
    signal.throwIfAborted();
    await target.link(name, state.files.find((one) => one.name === to)!, { moves: true });
  }
}

const signSums = (bytes: Buffer, { secret, serial }: { secret: KeyObject; serial: number }): Buffer =>
  Buffer.from(
    signMinisign(bytes, {
      secret,
      untrusted: `signature with key ${keyName(minisignKeyOf(secret).id)}`,
      trusted: `SHA256SUMS serial:${serial}`,
    }),
  );

/** Whoever publishes writes the lists anew, so who cannot sign them must not publish. */
function requireKey(target: PublishTarget, state: PublishedState | undefined, secret: KeyObject | undefined): void {
  const own = secret === undefined ? "" : keyName(minisignKeyOf(secret).id);
  if (state === undefined || state.signedBy === "" || state.signedBy === own) return;
  throw new BootwrightError(
    "SIGNATURE_INVALID",
    `${target.documents.address} is signed with key ${state.signedBy}; ${own === "" ? "no key is given" : `this is key ${own}`}`,
    { hint: 'name that key in the publication: sign: "catalog"' },
  );
}
