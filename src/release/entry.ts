/**
 * One entry of the record: what was done, by whom, when, to which digest. A file `record/N` that is made once; with a key,
 * minisign's four lines stand before the JSON that they sign, as in catalogs. `previous` chains the entries by their files'
 * digests. See docs/decisions/0030-releases.md.
 */
import type { KeyObject } from "node:crypto";
import { digestOf } from "../base/digest.ts";
import { BootwrightError } from "../base/errors.ts";
import { NAME, SHA256, Shape } from "../base/json-shape.ts";
import { type MinisignKey, signMinisign, verifyMinisign } from "../formats/minisign.ts";
import { RELEASE_VERSION } from "./version.ts";

const ACTIONS = ["release", "approve", "promote", "rollback"] as const;
export type Action = (typeof ACTIONS)[number];

export interface RecordEntry {
  /** From 1. */
  readonly serial: number;
  /** SHA-256 of the file of the entry before; "" for the first. */
  readonly previous: string;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Who did it; for approvals the approver's name in the config, which the signature proves. */
  readonly who: string;
  readonly action: Action;
  /** "" for `release`, which is in no environment yet. */
  readonly environment: string;
  readonly release: string;
  /** SHA-256 of the release's document. */
  readonly releaseDigest: string;
}

export interface ChainedEntry extends RecordEntry {
  /** False for an approval by who is no approver that the config names: it stays in the chain, and counts for nothing. */
  readonly counts: boolean;
  /** SHA-256 of the entry's file. */
  readonly digest: string;
}

export interface RecordKey {
  readonly key: MinisignKey;
  /** The last entry that its signature counts for; undefined for a key that is in use. */
  readonly until: number | undefined;
}

/** Whose signatures count. */
export interface RecordKeys {
  /** Any of them counts; none: the record is not signed. */
  readonly record: readonly RecordKey[];
  readonly approvers: Readonly<Record<string, MinisignKey>>;
}

const SCHEMA = "bootwright.record/1";
const SIGNED = Buffer.from("untrusted comment: ");

export const entryPath = (serial: number): string => `record/${serial}`;
export const MAX_ENTRY = 64 * 1024;

export function encodeEntry(entry: RecordEntry, secret: KeyObject | undefined): Buffer {
  const { serial, previous, time, who, action, environment, release, releaseDigest } = entry;
  const json = Buffer.from(
    `${JSON.stringify({ schema: SCHEMA, serial, previous, time, who, action, environment, release, releaseDigest })}\n`,
  );
  if (secret === undefined) return json;
  const trusted = `entry ${serial}: ${describeAction(entry)}`;
  return Buffer.concat([
    Buffer.from(signMinisign(json, { secret, untrusted: `signature of ${SCHEMA}`, trusted })),
    json,
  ]);
}

/** "promote v0.4.0 to prod". */
export const describeAction = ({ action, environment, release }: RecordEntry): string =>
  action === "release"
    ? `release ${release}`
    : action === "rollback"
      ? `roll ${environment} back to ${release}`
      : action === "approve"
        ? `approve ${release} for ${environment}`
        : `promote ${release} to ${environment}`;

/** Throws FORMAT_INVALID, SIGNATURE_INVALID. */
export function decodeEntry(file: Uint8Array, { keys, what }: { keys: RecordKeys; what: string }): ChainedEntry {
  const { signature, json } = splitEntry(file, what);
  const entry = parseEntry(json, what);
  const approver = keys.approvers[entry.who];
  const signers =
    entry.action === "approve"
      ? approver && [approver]
      : keys.record.length === 0
        ? undefined
        : keys.record.filter(({ until = entry.serial }) => entry.serial <= until).map(({ key }) => key);
  if (signers !== undefined) {
    if (signature === undefined)
      throw new BootwrightError("SIGNATURE_INVALID", `${what}: not signed, and the config names the key that signs it`);
    verifyMinisign(json, { text: signature, keys: signers, what });
  }
  const counts = entry.action !== "approve" || approver !== undefined;
  return { ...entry, counts, digest: digestOf(file).hash };
}

function splitEntry(file: Uint8Array, what: string): { signature: string | undefined; json: Uint8Array } {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (!bytes.subarray(0, SIGNED.length).equals(SIGNED)) return { signature: undefined, json: bytes };
  let at = 0;
  for (let line = 0; line < 4; line++) {
    at = bytes.indexOf(0x0a, at) + 1;
    if (at === 0) throw new BootwrightError("FORMAT_INVALID", `${what}: it ends within its signature`);
  }
  return { signature: bytes.toString("utf8", 0, at), json: bytes.subarray(at) };
}

function parseEntry(json: Uint8Array, what: string): RecordEntry {
  const shape = new Shape(what);
  const value = shape.parse(json);
  shape.word(value.schema, { member: "schema", of: [SCHEMA] });
  const action = shape.word(value.action, { member: "action", of: ACTIONS });
  return {
    serial: shape.count(value.serial, "serial"),
    previous: shape.text(value.previous, { member: "previous", like: /^([0-9a-f]{64})?$/ }),
    time: shape.text(value.time, { member: "time", like: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ }),
    who: shape.text(value.who, { member: "who", like: WHO }),
    action,
    environment: shape.text(value.environment, { member: "environment", like: action === "release" ? /^$/ : NAME }),
    release: shape.text(value.release, { member: "release", like: RELEASE_VERSION }),
    releaseDigest: shape.text(value.releaseDigest, { member: "releaseDigest", like: SHA256 }),
  };
}

/** One line; also part of a git commit's author, which takes no angle brackets. */
export const WHO = /^[^\u0000-\u001f\u007f<>]{1,200}$/;
