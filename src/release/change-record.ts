/**
 * Adds an entry to a record. Who makes the file of the next serial first has won; the loser reads again and asks its rules
 * again, since what they allowed may be gone. Killed anywhere, the entry is there or not; what lags behind (git, the views) is
 * brought up by the next command.
 */
import type { KeyObject } from "node:crypto";
import { BootwrightError } from "../base/errors.ts";
import type { Place } from "../base/place.ts";
import { type ChainedEntry, decodeEntry, encodeEntry, entryPath } from "./entry.ts";
import type { Draft } from "./promotion.ts";
import { CURRENT, type OpenedRecord, type RecordSource, readRecord } from "./read-record.ts";
import type { RecordState } from "./record-state.ts";

export interface RecordTarget extends RecordSource {
  readonly place: Place;
  /** Signs what is added. */
  readonly secret: KeyObject | undefined;
  /** Brings the record's other copy up to the chain. Throws RECORD_BROKEN. */
  readonly mirror?: ((record: OpenedRecord) => Promise<void>) | undefined;
}

export interface Changed {
  /** Undefined: there was nothing to do. */
  readonly entry: ChainedEntry | undefined;
  readonly state: RecordState;
}

/** How often others may be first. */
const ATTEMPTS = 20;

export async function changeRecord(
  target: RecordTarget,
  { decide, now, dryRun }: { decide: (state: RecordState) => Draft | undefined; now: () => string; dryRun: boolean },
): Promise<Changed & { readonly would: Draft | undefined }> {
  for (let attempt = 1; ; attempt++) {
    const record = await readRecord(target);
    const draft = decide(record.state);
    if (dryRun) return { entry: undefined, state: record.state, would: draft };
    // What lags behind is brought up first, so that no copy is ever more than one entry behind.
    if (record.chain.entries.length > 0) await publishViews(target, record);
    if (draft === undefined) return { entry: undefined, state: record.state, would: undefined };
    const serial = record.state.serial + 1;
    const previous = record.chain.entries.at(-1)?.digest ?? "";
    const file = encodeEntry({ serial, previous, time: now(), ...draft }, target.secret);
    const entry = decodeEntry(file, { keys: target.keys, what: `entry ${serial}` });
    if (await target.place.create(entryPath(serial), file)) {
      const after = await readRecord(target);
      await publishViews(target, after);
      return { entry, state: after.state, would: draft };
    }
    if (attempt >= ATTEMPTS)
      throw new BootwrightError("STORE_LOCKED", `${target.place.address}: others change the record all the time`, {
        hint: "try again",
      });
  }
}

/** Two may write them in either order: whoever comes last looks whether there is more. */
async function publishViews(target: RecordTarget, record: OpenedRecord): Promise<void> {
  let shown = record;
  for (;;) {
    await target.mirror?.(shown);
    const { place, signal } = target;
    await replaceIfOther(place, { name: ENVIRONMENTS, bytes: environmentsView(shown.state), signal });
    await replaceIfOther(place, { name: CURRENT, bytes: Buffer.from(`${shown.state.serial}\n`), signal });
    const next = entryPath(shown.state.serial + 1);
    if ((await place.read(next, { maxSize: 1 << 20, signal })) === undefined) return;
    shown = await readRecord(target);
  }
}

/** For people and their scripts: what runs where. Whoever wants to be sure reads the record. */
const ENVIRONMENTS = "environments.json";

export function environmentsView({ serial, environments }: RecordState): Buffer {
  const running = [...environments]
    .map(([name, ran]) => [name, ran.at(-1)!] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { release, digest, since }]) => [name, { release, digest, since }] as const);
  const view = { schema: "bootwright.environments/1", serial, environments: Object.fromEntries(running) };
  return Buffer.from(`${JSON.stringify(view, null, 2)}\n`);
}

async function replaceIfOther(
  place: Place,
  { name, bytes, signal }: { name: string; bytes: Buffer; signal: AbortSignal },
): Promise<void> {
  const there = await place.read(name, { maxSize: 1 << 20, signal });
  if (there?.equals(bytes) !== true) await place.replace(name, bytes);
}
