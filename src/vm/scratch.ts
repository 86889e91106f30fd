/** A machine's private directory: sockets, variable store, scratch disks. Gone with the machine. */
import { mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { BootwrightError, ioError, systemCode } from "../base/errors.ts";
import { removeQuietly } from "../base/fs.ts";
import { onProcessExit } from "../base/on-exit.ts";

const PREFIX = "bootwright-vm-";
/** `sun_path` holds 108 bytes with its NUL (unix(7)); the longest of our socket names takes 12. */
const MAX_DIR = 95;

export interface Scratch {
  readonly dir: string;
  remove(): void;
}

/** Throws UNSUPPORTED when `root` is too long for a unix socket, or an I/O error. */
export function makeScratch(root: string = tmpdir()): Scratch {
  if (Buffer.byteLength(root) + PREFIX.length + 16 > MAX_DIR)
    throw new BootwrightError("UNSUPPORTED", `the path ${root} is too long for a unix socket below it`, {
      hint: "set TMPDIR to a shorter path, such as /tmp",
    });
  sweep(root);
  const dir = create(path.join(root, `${PREFIX}${process.pid}-`));
  const forget = onProcessExit(() => removeQuietly(dir));
  return {
    dir,
    remove: () => {
      removeQuietly(dir);
      forget();
    },
  };
}

function create(prefix: string): string {
  try {
    return mkdtempSync(prefix);
  } catch (error) {
    throw ioError("create directory", prefix, error);
  }
}

/** What a killed process left behind. A process id that is used again only delays this. */
function sweep(root: string): void {
  for (const name of listQuietly(root)) {
    const pid = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid))) removeQuietly(path.join(root, name));
  }
}

function listQuietly(dir: string): readonly string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) !== "ESRCH";
  }
}
