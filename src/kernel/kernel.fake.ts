/** A module tree and a kernel image in miniature. */
import type { FileTree, TreeEntry } from "../formats/filetree.ts";
import type { Store } from "../store/store.ts";

export const RELEASE = "6.1.0-test";

/** Directories are made as needed. */
export function treeOfFiles(store: Store, files: Readonly<Record<string, string | Uint8Array>>): FileTree {
  const entries = new Map<string, TreeEntry>();
  const owner = { uid: 0, gid: 0 };
  for (const [path, content] of Object.entries(files)) {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const dir = path.slice(0, slash);
      entries.set(dir, { type: "directory", path: dir, mode: 0o755, ...owner });
    }
    entries.set(path, { type: "file", path, mode: 0o644, ...owner, content: store.blobs.put(content) });
  }
  return [...entries.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The .modinfo section: "key=value" strings, each with its NUL. */
export const modinfo = (...lines: string[]): Buffer => Buffer.from(lines.map((line) => `${line}\0`).join(""));
