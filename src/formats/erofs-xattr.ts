/**
 * Extended attributes of EROFS (Documentation/filesystems/erofs, "On-disk details"; fs/erofs/erofs_fs.h): behind the inode
 * stand a header, references to attributes that several inodes share, and the inode's own.
 */
import { alignUp } from "../base/bytes.ts";
import { BootwrightError } from "../base/errors.ts";
import type { TreeEntry, Xattr } from "./filetree.ts";
import { splitXattrName } from "./xattr-name.ts";

const HEADER = 12;
const MAX_SHARED = 255;
const MAX_VALUE = 0xffff;
/** i_xattr_icount: words of 4 bytes behind the header, and one more. */
const MAX_WORDS = 0xfffe;

export interface ErofsXattrs {
  /** Places in the shared area, in words of 4 bytes. */
  readonly shared: readonly number[];
  readonly own: readonly Buffer[];
  /** Bytes in all. */
  readonly size: number;
}

export interface SharedXattrs {
  readonly of: (entry: TreeEntry) => ErofsXattrs | undefined;
  /** The shared area; empty when there is nothing to share. */
  readonly area: Buffer;
}

/** Attributes that more than one inode has (a security label, say) are kept once. Throws UNSUPPORTED and LIMIT_EXCEEDED. */
export function shareXattrs(tree: readonly TreeEntry[]): SharedXattrs {
  const uses = new Map<string, { readonly bytes: Buffer; count: number; place: number }>();
  const encoded = new Map<TreeEntry, string[]>();
  for (const entry of tree) {
    if (!entry.xattrs?.length) continue;
    const keys = entry.xattrs.map((xattr) => {
      const bytes = encodeXattr(xattr, entry.path);
      const key = bytes.toString("latin1");
      const known = uses.get(key);
      if (known === undefined) uses.set(key, { bytes, count: 1, place: -1 });
      else known.count++;
      return key;
    });
    encoded.set(entry, keys);
  }
  const area: Buffer[] = [];
  let at = 0;
  for (const use of uses.values()) {
    if (use.count === 1) continue;
    use.place = at / 4;
    area.push(use.bytes);
    at += use.bytes.length;
  }
  return {
    of: (entry) => {
      const keys = encoded.get(entry);
      if (keys === undefined) return undefined;
      const all = keys.map((key) => uses.get(key)!);
      const shared = all.filter((use) => use.place >= 0).slice(0, MAX_SHARED);
      const own = all.filter((use) => !shared.includes(use)).map((use) => use.bytes);
      const size = HEADER + 4 * shared.length + own.reduce((sum, bytes) => sum + bytes.length, 0);
      if ((size - HEADER) / 4 > MAX_WORDS) throw limit(entry.path, `${size} bytes of extended attributes`);
      return { shared: shared.map((use) => use.place), own, size };
    },
    area: Buffer.concat(area),
  };
}

/** i_xattr_icount. */
export const xattrCount = (xattrs: ErofsXattrs | undefined): number =>
  xattrs === undefined ? 0 : (xattrs.size - HEADER) / 4 + 1;

/** What stands right behind the inode. */
export function encodeXattrBody(xattrs: ErofsXattrs): Buffer {
  const out = Buffer.alloc(xattrs.size);
  out[4] = xattrs.shared.length;
  let at = HEADER;
  for (const place of xattrs.shared) at = out.writeUInt32LE(place, at);
  for (const bytes of xattrs.own) at += bytes.copy(out, at);
  return out;
}

/** The values of ACLs are kept as xattr(7) gives them. */
function encodeXattr({ name, value }: Xattr, path: string): Buffer {
  const { index, rest } = splitXattrName(name, "EROFS", path.slice(0, 300));
  if (value.length > MAX_VALUE) throw limit(path, `${value.length} bytes of attribute ${name}`);
  const out = Buffer.alloc(alignUp(4 + rest.length + value.length, 4));
  out[0] = rest.length;
  out[1] = index;
  out.writeUInt16LE(value.length, 2);
  rest.copy(out, 4);
  out.set(value, 4 + rest.length);
  return out;
}

const limit = (path: string, what: string): BootwrightError =>
  new BootwrightError("LIMIT_EXCEEDED", `EROFS: ${path.slice(0, 300)}: ${what}; more than the format holds`);
