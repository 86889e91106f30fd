/** Odd trees for writers of file systems: names of any bytes, owners and times at the edges, devices, hard links, attributes. */
import fc from "fast-check";
import { comparePaths, pathFromBytes } from "../../src/base/bytes.ts";
import { digestOf } from "../../src/base/digest.ts";
import type { FileContent, FileEntry, FileTree, TreeEntry } from "../../src/formats/filetree.ts";

export const own = { mode: 0o644, uid: 0, gid: 0 };
const root: TreeEntry = { ...own, type: "directory", path: "", mode: 0o755 };

export const sorted = (entries: readonly TreeEntry[]): FileTree =>
  [root, ...entries].sort((a, b) => comparePaths(a.path, b.path));

/** A content is told by its seed and size; every third is zeros in its middle. */
export const content = (seed: number, size: number): FileContent => ({ hash: `${seed}`, size });

export function* read({ hash, size }: FileContent): Generator<Uint8Array> {
  const seed = Number(hash);
  for (let at = 0; at < size; ) {
    const chunk = Buffer.alloc(Math.min(size - at, 10_000 + 300_000 * (seed % 2)), (seed % 255) + 1);
    chunk[0] = at % 251;
    if (seed % 3 === 0) chunk.fill(0, 1);
    yield chunk;
    at += chunk.length;
  }
}

export const hashOf = (of: FileContent): string => digestOf(Buffer.concat([...read(of)])).hash;

const bytesName = fc
  .uint8Array({ minLength: 1, maxLength: 20 })
  .map((bytes) => pathFromBytes(bytes.map((byte) => (byte === 0 || byte === 10 || byte === 47 ? 65 : byte))));
const name = fc
  .oneof(
    fc.stringMatching(/^[a-z0-9._-]{1,12}$/),
    fc.constantFrom("x".repeat(255), "é".repeat(127), "a b", '"q"', "-n", "\\"),
    bytesName,
  )
  .filter((text) => text !== "." && text !== ".." && text !== "lost+found");
const id = fc.oneof(fc.nat(70_000), fc.constantFrom(0xffff_fffe, 0x1_0000, 0x8000_0000));
const time = fc.oneof(
  fc.constant(undefined),
  fc.integer({ min: -(2 ** 31), max: 2 ** 34 - 2 ** 31 - 1 }),
  fc.integer({ min: -1000, max: 2 ** 32 }).map((half) => half / 2 + 0.25),
);
const xattrName = fc.constantFrom(
  "user.a",
  "user.long-name-of-it",
  "trusted.x",
  "security.selinux",
  "security.capability",
);
const xattrs = fc
  .uniqueArray(fc.record({ name: xattrName, value: fc.uint8Array({ maxLength: 700 }) }), {
    selector: (one) => one.name,
  })
  .map((all) => all.sort((a, b) => (a.name < b.name ? -1 : 1)));
const size = fc.oneof(fc.constantFrom(0, 1, 4095, 4096, 4097, 1_000_000), fc.nat(20_000));
const piece = fc.record({
  parent: fc.nat(),
  name,
  mode: fc.nat(0o7777),
  uid: id,
  gid: id,
  mtime: time,
  xattrs: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: xattrs }),
  type: fc.constantFrom(
    "file",
    "file",
    "file",
    "directory",
    "directory",
    "symlink",
    "char",
    "block",
    "fifo",
    "socket",
    "link",
  ),
  size,
  target: fc.integer({ min: 1, max: 4095 }),
  major: fc.oneof(fc.nat(255), fc.nat(4095)),
  minor: fc.oneof(fc.nat(255), fc.nat(1_048_575)),
});

/** Later pieces hang below any directory before them. */
export const oddTree = fc.array(piece, { minLength: 1, maxLength: 150, size: "max" }).map((pieces): FileTree => {
  const directories = [""];
  const files: FileEntry[] = [];
  const made = new Map<string, TreeEntry>();
  for (const [i, one] of pieces.entries()) {
    const parent = directories[one.parent % directories.length]!;
    const at = parent === "" ? one.name : `${parent}/${one.name}`;
    if (made.has(at) || Buffer.byteLength(at) > 4000) continue;
    const common = {
      path: at,
      mode: one.mode,
      uid: one.uid,
      gid: one.gid,
      ...(one.mtime !== undefined && { mtime: one.mtime }),
      ...(one.xattrs.length > 0 && { xattrs: one.xattrs }),
    };
    const other = one.type === "link" ? files[one.parent % files.length] : undefined;
    if (other !== undefined) {
      const linked = { ...other, link: other.link ?? i + 1 };
      files[files.indexOf(other)] = linked;
      made.set(linked.path, linked);
      made.set(at, { ...linked, path: at });
    } else if (one.type === "directory") {
      made.set(at, { ...common, type: "directory" });
      directories.push(at);
    } else if (one.type === "symlink")
      made.set(at, { ...common, type: "symlink", target: "é/".repeat(one.target).slice(0, one.target / 2) + "x" });
    else if (one.type === "char" || one.type === "block")
      made.set(at, { ...common, type: one.type, major: one.major, minor: one.minor });
    else if (one.type === "fifo" || one.type === "socket") made.set(at, { ...common, type: one.type });
    else {
      const file: FileEntry = { ...common, type: "file", content: content(i, one.size) };
      files.push(file);
      made.set(at, file);
    }
  }
  return sorted([...made.values()]);
});
