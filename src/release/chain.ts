/** Checks that the files of a record are one unbroken history. What is wrong is found one by one, each said in its own words. */
import { digestOf } from "../base/digest.ts";
import { messageOf } from "../base/errors.ts";
import { type ChainedEntry, decodeEntry, describeAction, type RecordKeys } from "./entry.ts";

export type FindingKind = "gap" | "truncated" | "edited" | "fork" | "impossible";

export interface Finding {
  readonly kind: FindingKind;
  /** Where it was found: an address. */
  readonly where: string;
  readonly serial: number;
  readonly message: string;
}

export interface Chain {
  readonly where: string;
  /** The files as they are, the first entry's first; undefined where one is missing. */
  readonly files: readonly (Buffer | undefined)[];
  /** Up to the first finding. */
  readonly entries: readonly ChainedEntry[];
  readonly findings: readonly Finding[];
}

export function checkChain(
  files: readonly (Buffer | undefined)[],
  { where, keys }: { where: string; keys: RecordKeys },
): Chain {
  const findings: Finding[] = [];
  const entries: ChainedEntry[] = [];
  for (const [i, file] of files.entries()) {
    const serial = i + 1;
    const add = (kind: FindingKind, message: string, at = serial) =>
      findings.push({ kind, where, serial: at, message: `${where}: ${message}` });
    if (file === undefined) {
      add("gap", `entry ${serial} is missing, and entry ${nextAfter(files, i)} is there`);
      continue;
    }
    let entry: ChainedEntry;
    try {
      entry = decodeEntry(file, { keys, what: `entry ${serial}` });
    } catch (error) {
      add("edited", `entry ${serial} was changed: ${messageOf(error)}`);
      continue;
    }
    if (entry.serial !== serial) {
      add("edited", `entry ${serial} says that it is entry ${entry.serial}: one was put in the place of the other`);
      continue;
    }
    const before = i === 0 ? "" : files[i - 1] === undefined ? undefined : digestOf(files[i - 1]!).hash;
    if (before !== undefined && entry.previous !== before)
      add(
        "edited",
        `entry ${serial} (${describeAction(entry)}) follows sha256:${entry.previous.slice(0, 12) || "nothing"}, but entry ${serial - 1} is sha256:${before.slice(0, 12)}: entry ${serial - 1} was changed after entry ${serial} had been made`,
        serial - 1,
      );
    else if (findings.length === 0) entries.push(entry);
  }
  return { where, files, entries, findings };
}

/** Where two copies of one record part; undefined when one is the beginning of the other. */
export function findFork(one: Chain, other: Chain): Finding | undefined {
  for (let i = 0; i < Math.min(one.files.length, other.files.length); i++) {
    const [a, b] = [one.files[i], other.files[i]];
    if (a === undefined || b === undefined || a.equals(b)) continue;
    const [left, right] = [one.entries[i], other.entries[i]];
    if (left === undefined || right === undefined) continue; // Damaged, and told as that.
    const told = (entry: ChainedEntry) =>
      `${describeAction(entry)}, ${entry.time}, sha256:${entry.digest.slice(0, 12)}`;
    const message = `two histories part at entry ${i + 1}: ${one.where} has (${told(left)}), ${other.where} has (${told(right)})`;
    return { kind: "fork", where: other.where, serial: i + 1, message };
  }
  return undefined;
}

const nextAfter = (files: readonly (Buffer | undefined)[], from: number): number =>
  files.findIndex((file, i) => i > from && file !== undefined) + 1;
