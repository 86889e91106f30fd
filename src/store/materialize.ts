/**
 * Writes a tree into a directory as the current user, for what must be a directory: toolroots, inputs of commands,
 * directory outputs. Owners and device nodes cannot be kept without root and are not wanted there; modes lose setuid.
 */
import fs from "node:fs";
import path from "node:path";
import { bytesFromPath } from "../base/bytes.ts";
import { BootwrightError, ioError } from "../base/errors.ts";
import { ensureDir, removeTree } from "../base/fs.ts";
import { type FileTree, parentPath, type TreeEntry } from "../formats/filetree.ts";
import type { TreeArtifact } from "./artifact.ts";
import type { Store } from "./store.ts";

/** `dir` must not exist or be empty. */
export function materialize(store: Store, tree: FileTree, dir: string): void {
  const reader = store.reader();
  const links = new Map<number, Buffer | string>();
  try {
    ensureDir(dir);
    const directories = new Set([""]);
    for (const entry of tree) {
      // A name below a link would be written wherever the link leads: no tree of ours has one, a forged one may.
      if (!directories.has(parentPath(entry.path)))
        throw new BootwrightError("PATH_UNSAFE", `file tree: /${entry.path} does not lie in a directory`);
      if (entry.type === "directory") directories.add(entry.path);
      writeEntry(entry, { target: below(dir, entry.path), read: reader.read, links });
    }
  } catch (error) {
    throw ioError("write", dir, error);
  } finally {
    reader.close();
  }
}

/**
 * The directory of a tree under `roots/`, made once for all builds. It appears by rename, so that another process
 * never sees half of it.
 */
export function materializedRoot(store: Store, artifact: TreeArtifact): string {
  const target = path.join(store.dir, "roots", artifact.hash);
  if (fs.existsSync(target)) return target;
  const temporary = store.blobs.temporary();
  try {
    materialize(store, store.getTree(artifact), temporary);
    ensureDir(path.dirname(target));
    fs.renameSync(temporary, target);
  } catch (error) {
    removeTree(temporary);
    if (!fs.existsSync(target)) throw ioError("write", target, error); // Another process was first: its copy serves.
  }
  return target;
}

interface Context {
  readonly target: Buffer | string;
  readonly read: Store["read"];
  readonly links: Map<number, Buffer | string>;
}

function writeEntry(entry: TreeEntry, { target, read, links }: Context): void {
  switch (entry.type) {
    case "directory":
      if (entry.path === "") return;
      fs.mkdirSync(target);
      // Whatever the umask is. Its owner must be able to write into it now and to remove it later.
      fs.chmodSync(target, (entry.mode & 0o777) | 0o700);
      return;
    case "symlink":
      fs.symlinkSync(bytesFromPath(entry.target), target);
      return;
    case "file": {
      const first = entry.link === undefined ? undefined : links.get(entry.link);
      if (first !== undefined) {
        fs.linkSync(first, target);
        return;
      }
      if (entry.link !== undefined) links.set(entry.link, target);
      const fd = fs.openSync(target, "wx", (entry.mode & 0o777) | 0o600);
      try {
        for (const chunk of read(entry.content)) fs.writeFileSync(fd, chunk);
        fs.fchmodSync(fd, entry.mode & 0o777);
      } finally {
        fs.closeSync(fd);
      }
      return;
    }
    default:
      return;
  }
}

const below = (dir: string, at: string): Buffer | string =>
  at === "" ? dir : at.isWellFormed() ? `${dir}/${at}` : Buffer.concat([Buffer.from(`${dir}/`), bytesFromPath(at)]);
