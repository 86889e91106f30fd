/**
 * pax extended headers (POSIX.1-2008, "pax Header Block"): records "LENGTH KEY=VALUE\n". Values are bytes: an extended
 * attribute (SCHILY.xattr.*) may hold anything, NUL and newline included.
 */
import { formatError } from "./byte-reader.ts";

export interface PaxRecord {
  readonly key: string;
  readonly value: Uint8Array;
}

/** In order, doubles kept: GNU sparse 0.0 repeats keys. `offset` is where the bytes lie, for messages. */
export function parsePax(bytes: Uint8Array, offset = 0): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 || space - at > 10 ? "" : latin1(bytes.subarray(at, space));
    const length = /^[1-9]\d*$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space);
    if (length === 0 || end > bytes.length || bytes[end - 1] !== 0x0a || equals <= space + 1 || equals >= end)
      throw formatError("pax header", offset + at, 'a record "LENGTH KEY=VALUE"');
    records.push({
      key: Buffer.from(bytes.subarray(space + 1, equals)).toString("utf8"),
      value: bytes.subarray(equals + 1, end - 1),
    });
    at = end;
  }
  return records;
}

/** The length counts its own digits too. */
export function encodePax(records: Iterable<PaxRecord>): Buffer {
  const parts: Uint8Array[] = [];
  for (const { key, value } of records) {
    const rest = Buffer.from(` ${key}=`, "utf8");
    const body = rest.length + value.length + 1;
    let length = body + String(body).length;
    if (body + String(length).length !== length) length = body + String(length).length;
    parts.push(Buffer.from(String(length)), rest, value, NEWLINE);
  }
  return Buffer.concat(parts);
}

const NEWLINE = Buffer.from("\n");

const latin1 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
