/**
 * `out/`: artifacts under names. Files are hard links to read-only files of the store (copies where the store is on another file
 * system), directories are symbolic links that switch at once. A failed build touches none of them.
 */
import fs from "node:fs";
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { BootwrightError, ioError, systemCode } from "../base/errors.ts";
import { ensureDir, removeQuietly, removeTree, TEMPORARY_NAME, temporaryName } from "../base/fs.ts";
import type { Artifact, BlobArtifact, ExtentsArtifact, TreeArtifact } from "../store/artifact.ts";
import { assembledFile, dropAssembled } from "../store/assembled-file.ts";
import { BlobMissing } from "../store/blobs.ts";
import { materialize } from "../store/materialize.ts";
import type { Store } from "../store/store.ts";
import { pidLives } from "../store/tmp.ts";

export interface OutputOptions {
  readonly store: Store;
  /** The project that keeps the artifact from being collected. */
  readonly project: string;
  readonly name: string;
  readonly key: string;
}

/** Puts an artifact at `target`, atomically. What is there already and right is left alone. */
export function linkOutput(target: string, artifact: Artifact, { store, project, name, key }: OutputOptions): void {
  const row = store.db.get<{ hash: string }>("SELECT hash FROM refs WHERE project = ? AND name = ?", project, name);
  if (row?.hash !== artifact.hash)
    store.db.run(
      "INSERT OR REPLACE INTO refs (project, name, kind, hash, size, key, made) VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...[project, name, artifact.kind, artifact.hash, artifact.size, key, systemClock.now()],
    );
  try {
    if (artifact.kind === "tree") linkDirectory(target, { store, artifact });
    else linkFile(target, filePath(store, artifact));
    if (row !== undefined && row.hash !== artifact.hash) dropAssembled(store, row.hash);
  } catch (error) {
    throw ioError("write", target, error);
  }
}

/** The store's own file, which is there. Throws BLOB_DAMAGED. */
function filePath(store: Store, artifact: BlobArtifact | ExtentsArtifact): string {
  if (artifact.kind === "extents") return assembledFile(store, artifact);
  const blob = store.blobs.path(artifact.hash);
  if (!fs.existsSync(blob)) throw new BlobMissing(artifact.hash);
  return blob;
}

function linkFile(target: string, file: string): void {
  const wanted = fs.statSync(file);
  const there = fs.lstatSync(target, { throwIfNoEntry: false });
  if (there?.isDirectory())
    throw new BootwrightError("EXISTS", `${target} is a directory`, {
      hint: "remove it, or name another place with --output",
    });
  if (there !== undefined && there.ino === wanted.ino && there.dev === wanted.dev) return;
  const old = ownDirectory(target);
  ensureDir(path.dirname(target));
  removeLeftovers(path.dirname(target));
  const temporary = temporaryName(target);
  try {
    try {
      fs.linkSync(file, temporary);
    } catch (error) {
      if (!["EXDEV", "EPERM", "EMLINK", "ENOTSUP", "EACCES"].includes(systemCode(error) ?? "")) throw error;
      fs.copyFileSync(file, temporary, fs.constants.COPYFILE_FICLONE);
    }
    fs.renameSync(temporary, target);
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
  if (old !== undefined) removeTree(path.join(path.dirname(target), old));
}

/** `out/name` → `.name-HASH/`; the old directory goes when the link has moved. */
function linkDirectory(target: string, { store, artifact }: { store: Store; artifact: TreeArtifact }): void {
  const dir = path.dirname(target);
  const name = `.${path.basename(target)}-${artifact.hash.slice(0, 16)}`;
  const real = path.join(dir, name);
  const there = fs.lstatSync(target, { throwIfNoEntry: false });
  if (there !== undefined && !there.isSymbolicLink())
    throw new BootwrightError("EXISTS", `${target} is in the way`, {
      hint: "remove it, or name another place with --output",
    });
  const old = ownDirectory(target);
  if (old === name && fs.existsSync(real)) return;
  ensureDir(dir);
  removeLeftovers(dir);
  const isNew = !fs.existsSync(real);
  if (isNew) placeTree(real, { store, artifact });
  const link = temporaryName(target);
  try {
    fs.symlinkSync(name, link);
    fs.renameSync(link, target);
  } catch (error) {
    removeQuietly(link);
    if (isNew) removeTree(real);
    throw error;
  }
  if (old !== undefined && old !== name) removeTree(path.join(dir, old));
}

/** Whole, or not at all. */
function placeTree(real: string, { store, artifact }: { store: Store; artifact: TreeArtifact }): void {
  const temporary = temporaryName(real);
  try {
    materialize(store, store.getTree(artifact), temporary);
    fs.renameSync(temporary, real);
  } catch (error) {
    removeTree(temporary);
    throw error;
  }
}

/** The directory beside `target` that it links to, when it is one of ours: what a user's own link leads to stays. */
function ownDirectory(target: string): string | undefined {
  try {
    const name = fs.readlinkSync(target);
    const prefix = `.${path.basename(target)}-`;
    return name.startsWith(prefix) && /^[0-9a-f]{16}$/.test(name.slice(prefix.length)) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Takes away what killed builds left; a temporary name begins with its maker's process id. */
function removeLeftovers(dir: string): void {
  for (const name of fs.readdirSync(dir)) {
    const maker = TEMPORARY_NAME.exec(name)?.[1];
    if (maker !== undefined && !pidLives(Number(maker))) removeTree(path.join(dir, name));
  }
}
