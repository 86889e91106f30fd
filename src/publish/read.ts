/** Reads what is published at an address: the newest state, and the files that it names. */
import { BootwrightError } from "../base/errors.ts";
import type { ReadablePlace } from "../base/place.ts";
import {
  CURRENT,
  decodeState,
  MAX_STATE,
  type PublishedFile,
  type PublishedState,
  stateDigest,
  statePath,
} from "./state.ts";

export interface FoundState {
  readonly state: PublishedState;
  /** SHA-256 of its document. */
  readonly digest: string;
  /** The newest serial whose names and lists are all written; 0 when none are. */
  readonly settled: number;
}

/** Undefined when nothing was published there yet. Throws FORMAT_INVALID for a document that does not follow from the one before. */
export async function newestState(place: ReadablePlace, signal: AbortSignal): Promise<FoundState | undefined> {
  const settled = await readCurrent(place, signal);
  let found = settled === 0 ? undefined : await readState(place, settled, signal);
  if (settled !== 0 && found === undefined)
    throw new BootwrightError("FORMAT_INVALID", `${place.address}: ${CURRENT} names ${settled}, which is not there`);
  for (;;) {
    const next: Omit<FoundState, "settled"> | undefined = await readState(
      place,
      (found?.state.serial ?? 0) + 1,
      signal,
    );
    if (next === undefined) return found && { ...found, settled };
    if (next.state.previous !== (found?.digest ?? ""))
      throw new BootwrightError(
        "FORMAT_INVALID",
        `${place.address}/${statePath(next.state.serial)} does not follow from ${next.state.serial - 1}`,
      );
    found = next;
  }
}

export async function readState(
  place: ReadablePlace,
  serial: number,
  signal: AbortSignal,
): Promise<Omit<FoundState, "settled"> | undefined> {
  const bytes = await place.read(statePath(serial), { maxSize: MAX_STATE, signal });
  if (bytes === undefined) return undefined;
  const what = `${place.address}/${statePath(serial)}`;
  const state = decodeState(bytes, what);
  if (state.serial !== serial)
    throw new BootwrightError("FORMAT_INVALID", `${what}: says that its serial is ${state.serial}`);
  return { state, digest: stateDigest(bytes) };
}

export interface FoundFile extends PublishedFile {
  /** Leads to exactly these bytes, whatever is published later: "…/files/sha256-….NAME", "oci://…@sha256:…", "github:…@TAG/NAME". */
  readonly address: string;
  /** Names that move, and mean it now. */
  readonly moving: readonly string[];
}

export interface Publications {
  /** How often something was published; 0 for nothing. */
  readonly serial: number;
  readonly updated: string | undefined;
  /** False when a publisher has died: the next one writes the names and lists of the newest state. */
  readonly settled: boolean;
  /** Newest first. */
  readonly files: readonly FoundFile[];
}

export async function readPublications(place: ReadablePlace, signal: AbortSignal): Promise<Publications> {
  const found = await newestState(place, signal);
  if (found === undefined) return { serial: 0, updated: undefined, settled: true, files: [] };
  const { files, moving, serial, updated } = found.state;
  return {
    ...{ serial, updated, settled: found.settled === serial },
    files: files.map((file) => ({
      ...{ ...file, address: addressOf(place.address, file) },
      moving: Object.keys(moving).filter((name) => moving[name] === file.name),
    })),
  };
}

/** Where a place of files keeps one. */
export const contentPath = ({ name, sha256 }: Pick<PublishedFile, "name" | "sha256">): string =>
  `files/sha256-${sha256}.${name}`;

export const addressOf = (place: string, file: PublishedFile): string =>
  place.startsWith("github:")
    ? `${place}@${file.immutable[0]}/${file.name}`
    : place.startsWith("oci://")
      ? `${place}@sha256:${file.digest}`
      : `${place}/${contentPath(file)}`;

async function readCurrent(place: ReadablePlace, signal: AbortSignal): Promise<number> {
  const text = (await place.read(CURRENT, { maxSize: 64, signal }))?.toString("latin1");
  if (text === undefined) return 0;
  if (!/^[1-9]\d{0,14}\n?$/.test(text))
    throw new BootwrightError("FORMAT_INVALID", `${place.address}/${CURRENT}: not a serial`);
  return Number(text);
}
