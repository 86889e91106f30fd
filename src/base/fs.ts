/** File system operations that survive a kill at any point: write aside, then rename. System errors get codes. */
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { ioError, systemCode } from "./errors.ts";

/** A name beside `file` that no other process uses; `.tmp-` marks it as garbage for cleaners. */
export const temporaryName = (file: string): string =>
  path.join(path.dirname(file), `.tmp-${process.pid}-${randomBytes(6).toString("hex")}`);

/** Such a name; the number is the process that wrote it. */
export const TEMPORARY_NAME = /^\.tmp-(\d+)-[0-9a-f]{12}$/;

/**
 * Replaces `file` by `content` so that a reader sees the old or the new bytes, never a part.
 * `sync` also survives power loss: for what nothing can make again, such as the lock.
 */
export function writeFileAtomic(
  file: string,
  content: string | Uint8Array,
  options: { sync?: boolean; mode?: number } = {},
): void {
  const temporary = temporaryName(file);
  try {
    ensureDir(path.dirname(file));
    const fd = fs.openSync(temporary, "wx", options.mode ?? 0o644);
    try {
      fs.writeFileSync(fd, content);
      if (options.sync) fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temporary, file);
  } catch (error) {
    removeQuietly(temporary);
    throw ioError("write", file, error);
  }
}

export function ensureDir(dir: string): void {
  try {
    fs.mkdirSync(dir, { recursive: true });
  } catch (error) {
    throw ioError("create directory", dir, error);
  }
}

/** The file's bytes, or undefined when there is none. */
export function readIfExists(file: string): Buffer | undefined {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return undefined;
    throw ioError("read", file, error);
  }
}

export function removeQuietly(file: string): void {
  try {
    fs.rmSync(file, { recursive: true, force: true });
  } catch {}
}

/** Removes a directory tree even when directories in it are read-only (unpacked toolroots are). */
export function removeTree(dir: string): void {
  try {
    fs.rmSync(dir, { recursive: true, force: true });
  } catch {
    makeWritable(dir);
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

function makeWritable(dir: string): void {
  try {
    fs.chmodSync(dir, 0o700);
    for (const entry of fs.readdirSync(dir, { withFileTypes: true }))
      if (entry.isDirectory()) makeWritable(path.join(dir, entry.name));
  } catch {}
}
