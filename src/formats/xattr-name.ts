/** Names of extended attributes as ext4 and EROFS keep them: a number for the prefix, and the rest (xattr(7)). */
import { BootwrightError } from "../base/errors.ts";

/** Longest rest of a name, bytes: both formats keep its length in one byte. */
const MAX_REST = 255;
const PREFIXES: readonly (readonly [string, number])[] = [
  ["user.", 1],
  ["trusted.", 4],
  ["security.", 6],
];
/** These numbers stand for whole names. */
const ACLS = new Map([
  ["system.posix_acl_access", 2],
  ["system.posix_acl_default", 3],
]);

export interface XattrName {
  /** EXT4_XATTR_INDEX_*, EROFS_XATTR_INDEX_*: the same numbers. */
  readonly index: number;
  /** Empty for an ACL, and for nothing else. */
  readonly rest: Buffer;
}

/** `format` and `path` are for the errors. Throws UNSUPPORTED for a prefix without a number, LIMIT_EXCEEDED for a rest that is too long or holds NUL. */
export function splitXattrName(name: string, format: string, path: string): XattrName {
  const acl = ACLS.get(name);
  if (acl !== undefined) return { index: acl, rest: Buffer.alloc(0) };
  const [prefix, index] = PREFIXES.find(([start]) => name.startsWith(start)) ?? [];
  if (prefix === undefined || index === undefined || name.length === prefix.length)
    throw new BootwrightError("UNSUPPORTED", `${format} has no place for the extended attribute ${name} of ${path}`);
  const rest = Buffer.from(name.slice(prefix.length));
  if (rest.length > MAX_REST || name.includes("\0"))
    throw new BootwrightError(
      "LIMIT_EXCEEDED",
      `${format}: ${path}: attribute name ${name}; at most ${MAX_REST} bytes, no NUL`,
    );
  return { index, rest };
}
