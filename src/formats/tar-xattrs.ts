/** Extended attributes in pax records: GNU tar and star write SCHILY.xattr.NAME raw, libarchive LIBARCHIVE.xattr.NAME in base64. */
import { comparePaths } from "../base/bytes.ts";
import { formatError } from "./byte-reader.ts";
import type { Xattr } from "./filetree.ts";
import type { PaxRecord } from "./pax.ts";

export const SCHILY_XATTR = "SCHILY.xattr.";
const LIBARCHIVE_XATTR = "LIBARCHIVE.xattr.";

/** Sorted by name; where both forms are there, the raw one counts. Throws FORMAT_INVALID for a name that cannot be one. */
export function paxXattrs(records: readonly PaxRecord[], at: number): readonly Xattr[] {
  const found = new Map<string, Uint8Array>();
  for (const { key, value } of records)
    if (key.startsWith(LIBARCHIVE_XATTR))
      found.set(
        decodeName(key.slice(LIBARCHIVE_XATTR.length), at),
        Buffer.from(Buffer.from(value).toString("latin1"), "base64"),
      );
  // Copies: the records' buffer belongs to the stream.
  for (const { key, value } of records)
    if (key.startsWith(SCHILY_XATTR)) found.set(key.slice(SCHILY_XATTR.length), Uint8Array.from(value));
  if (found.size === 0) return NONE;
  for (const name of found.keys())
    if (name === "" || name.includes("\0") || Buffer.byteLength(name) > 255)
      throw formatError("tar", at, "an extended attribute's name of 1 to 255 bytes");
  return [...found].map(([name, value]) => ({ name, value })).sort((a, b) => comparePaths(a.name, b.name));
}

const NONE: readonly Xattr[] = [];

function decodeName(text: string, at: number): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw formatError("tar", at, "a percent-encoded attribute name");
  }
}
