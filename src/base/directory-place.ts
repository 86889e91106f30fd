/** A place that is a directory: on this machine, on a share, or what a web server serves. */
import fs from "node:fs";
import path from "node:path";
import { systemClock } from "./clock.ts";
import { DigestCounter } from "./digest.ts";
import { BootwrightError, ioError, systemCode } from "./errors.ts";
import { ensureDir, removeQuietly, TEMPORARY_NAME, temporaryName, writeFileAtomic } from "./fs.ts";
import type { SweptPlace } from "./place.ts";

/** All writes survive power loss: what was published stays published. */
export function directoryPlace(dir: string): SweptPlace {
  const at = (name: string): string => path.join(dir, name);
  return {
    address: dir,
    async read(name, { maxSize }) {
      const file = at(name);
      const size = fs.statSync(file, { throwIfNoEntry: false })?.size;
      if (size === undefined) return undefined;
      if (size > maxSize)
        throw new BootwrightError("LIMIT_EXCEEDED", `${file} has ${size} bytes; at most ${maxSize} fit`);
      try {
        return fs.readFileSync(file);
      } catch (error) {
        throw ioError("read", file, error);
      }
    },
    async putFile(name, { local, size }) {
      const file = at(name);
      if (fs.statSync(file, { throwIfNoEntry: false })?.size === size && touch(file, timeAt(dir))) return;
      await placing(file, async (temporary) => {
        fs.copyFileSync(local, temporary, fs.constants.COPYFILE_FICLONE);
        fs.chmodSync(temporary, 0o644);
        sync(temporary);
        fs.renameSync(temporary, file);
      });
    },
    async create(name, bytes) {
      const file = at(name);
      return placing(file, async (temporary) => {
        fs.writeFileSync(temporary, bytes, { mode: 0o644 });
        sync(temporary);
        try {
          fs.linkSync(temporary, file); // Unlike a rename, a link does not replace.
          return true;
        } catch (error) {
          if (systemCode(error) === "EEXIST") return false;
          throw error;
        }
      });
    },
    async replace(name, bytes) {
      writeFileAtomic(at(name), bytes, { sync: true });
    },
    async stat(name) {
      const file = at(name);
      const size = fs.statSync(file, { throwIfNoEntry: false })?.size;
      return size === undefined ? undefined : { size, sha256: () => hashOf(file) };
    },
    async link(name, from) {
      const [file, source] = [at(name), at(from)];
      if (isSameFile(file, source)) return;
      await placing(file, async (temporary) => {
        linkOrCopy(source, temporary);
        fs.renameSync(temporary, file);
      });
    },
    async remove(name) {
      try {
        fs.rmSync(at(name), { force: true });
      } catch (error) {
        throw ioError("remove", at(name), error);
      }
      return true;
    },
    now: async () => timeAt(dir),
    async *list(folders) {
      for (const below of ["", ...folders, ".swept"]) {
        for (const entry of entriesOf(path.join(dir, below))) {
          const name = path.posix.join(below, entry);
          const stat = fs.lstatSync(at(name), { throwIfNoEntry: false });
          if (stat === undefined || !stat.isFile()) continue;
          const temporary = TEMPORARY_NAME.test(entry);
          const modified = temporary ? Math.max(stat.ctimeMs, stat.mtimeMs) : stat.mtimeMs;
          yield { path: name, size: stat.size, modified, temporary };
        }
      }
    },
    async modified(name) {
      return fs.statSync(at(name), { throwIfNoEntry: false })?.mtimeMs;
    },
    async move(from, to) {
      try {
        ensureDir(path.dirname(at(to)));
        fs.renameSync(at(from), at(to));
      } catch (error) {
        if (systemCode(error) === "ENOENT") return false;
        throw ioError("move", at(from), error);
      }
      touch(at(to), timeAt(dir));
      return true;
    },
    endUploads: async () => [],
  };
}

/** Milliseconds since the epoch by the clock that files there are dated by: that of the server, on a share. */
function timeAt(dir: string): number {
  const probe = temporaryName(path.join(dir, "now"));
  try {
    fs.writeFileSync(probe, "");
    return fs.statSync(probe).mtimeMs;
  } catch {
    return systemClock.now(); // Nothing is there yet, or nothing can be written.
  } finally {
    removeQuietly(probe);
  }
}

/** False when it is gone, or another user's: then it is written anew. */
function touch(file: string, now: number): boolean {
  try {
    fs.utimesSync(file, now / 1000, now / 1000);
    return true;
  } catch {
    return false;
  }
}

function entriesOf(dir: string): readonly string[] {
  try {
    return fs.readdirSync(dir);
  } catch (error) {
    if (systemCode(error) === "ENOENT" || systemCode(error) === "ENOTDIR") return [];
    throw ioError("read", dir, error);
  }
}

async function hashOf(file: string): Promise<string> {
  const counter = new DigestCounter();
  try {
    for await (const chunk of fs.createReadStream(file, { highWaterMark: 1024 * 1024 })) counter.update(chunk);
  } catch (error) {
    throw ioError("read", file, error);
  }
  return counter.digest().hash;
}

function isSameFile(a: string, b: string): boolean {
  const [one, other] = [a, b].map((file) => fs.statSync(file, { throwIfNoEntry: false, bigint: true }));
  return one !== undefined && one.ino === other?.ino && one.dev === other.dev;
}

/** A share may have no hard links. */
function linkOrCopy(source: string, file: string): void {
  try {
    fs.linkSync(source, file);
  } catch (error) {
    if (systemCode(error) === "ENOENT") throw error;
    fs.copyFileSync(source, file, fs.constants.COPYFILE_FICLONE);
    sync(file);
  }
}

/** Writes beside `file`, and leaves nothing else. */
async function placing<T>(file: string, place: (temporary: string) => Promise<T>): Promise<T> {
  const temporary = temporaryName(file);
  ensureDir(path.dirname(file));
  try {
    const placed = await place(temporary);
    syncDirectory(path.dirname(file));
    return placed;
  } catch (error) {
    throw ioError("write", file, error);
  } finally {
    removeQuietly(temporary);
  }
}

/** Before the file gets its name: else a crash could leave the name with other bytes. */
function sync(file: string): void {
  const fd = fs.openSync(file, "r+");
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Some file systems cannot; then their own order has to do. */
function syncDirectory(dir: string): void {
  try {
    const fd = fs.openSync(dir, "r");
    try {
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
  } catch {}
}
