/** Reads a record out of its place, and judges it: alone, and beside what was seen of it before. */
import { BootwrightError } from "../base/errors.ts";
import type { ReadablePlace } from "../base/place.ts";
import { type Chain, checkChain, type Finding } from "./chain.ts";
import { entryPath, MAX_ENTRY, type RecordKeys } from "./entry.ts";
import { foldRecord, type RecordState } from "./record-state.ts";
import type { SeenRecord } from "./seen-record.ts";

export interface RecordSource {
  readonly place: ReadablePlace;
  readonly keys: RecordKeys;
  readonly seen: SeenRecord;
  readonly signal: AbortSignal;
}

export interface OpenedRecord {
  readonly chain: Chain;
  readonly state: RecordState;
}

/** Holds the newest serial. A hint: entries beyond it count, and entries that it promises must be there. */
export const CURRENT = "record/current";
const AT_ONCE = 8;

/** Throws RECORD_BROKEN. */
export async function readRecord(source: RecordSource): Promise<OpenedRecord> {
  const { chain, state, findings } = await examineRecord(source, 0);
  if (findings.length > 0) throw recordBroken(findings);
  const last = chain.entries.at(-1);
  if (last !== undefined) source.seen.remember(last);
  return { chain, state };
}

/** All that is wrong with it. `atLeast`: so many entries are known to have been there. */
export async function examineRecord(
  source: RecordSource,
  atLeast: number,
): Promise<OpenedRecord & { readonly findings: readonly Finding[] }> {
  const { place, keys, seen, signal } = source;
  const noted = seen.newest();
  const current = await readCurrent(place, signal);
  const promised = Math.max(current, noted?.serial ?? 0, atLeast);
  const files = await readEntries(place, { promised, signal });
  const chain = checkChain(files, { where: place.address, keys });
  const { state, findings: impossible } = foldRecord(chain.entries, place.address);
  const findings: Finding[] = [...chain.findings, ...impossible];
  if (files.length < promised)
    findings.push({
      ...{ kind: "truncated", where: place.address, serial: files.length + 1 },
      message: `${place.address}: the record was cut off: it ends with entry ${files.length}, and ${whoKnows({ promised, current, noted: noted?.serial ?? 0 })} entry ${promised}`,
    });
  const again = noted === undefined ? undefined : chain.entries[noted.serial - 1];
  if (noted !== undefined && again !== undefined && again.digest !== noted.digest)
    findings.push({
      ...{ kind: "fork", where: place.address, serial: noted.serial },
      message: `${place.address}: another history was put in its place: entry ${noted.serial} is sha256:${again.digest.slice(0, 12)}, and sha256:${noted.digest.slice(0, 12)} was seen here before (${seen.file})`,
    });
  return { chain, state, findings };
}

export const recordBroken = (findings: readonly Finding[]): BootwrightError =>
  new BootwrightError("RECORD_BROKEN", findings[0]!.message, {
    hint: "bootwright release verify; nothing was changed",
    ...(findings.length > 1 && {
      detail: findings
        .slice(1)
        .map(({ message }) => message)
        .join("\n"),
    }),
  });

const whoKnows = ({ promised, current, noted }: { promised: number; current: number; noted: number }): string =>
  promised === current ? "its own pointer names" : promised === noted ? "this user has seen" : "git has";

async function readCurrent(place: ReadablePlace, signal: AbortSignal): Promise<number> {
  const text = (await place.read(CURRENT, { maxSize: 64, signal }))?.toString("latin1") ?? "";
  return /^\d{1,9}\n$/.test(text) ? Number(text) : 0;
}

/** Those that are promised, and what lies behind them. Missing ones at the end are left out. */
async function readEntries(
  place: ReadablePlace,
  { promised, signal }: { promised: number; signal: AbortSignal },
): Promise<readonly (Buffer | undefined)[]> {
  const read = (serial: number) => place.read(entryPath(serial), { maxSize: MAX_ENTRY, signal });
  const files: (Buffer | undefined)[] = [];
  for (let from = 1; from <= promised; from += AT_ONCE) {
    const serials = Array.from({ length: Math.min(AT_ONCE, promised - from + 1) }, (_, i) => from + i);
    files.push(...(await Promise.all(serials.map(read))));
  }
  for (;;) {
    const next = await read(files.length + 1);
    if (next === undefined) break;
    files.push(next);
  }
  const last = files.findLastIndex((file) => file !== undefined);
  return files.slice(0, last + 1);
}
