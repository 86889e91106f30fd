/** What lies under `tmp/`, and whether the process that made it (its name starts with the pid) may still want it. */
import fs from "node:fs";
import path from "node:path";

export interface TmpEntry {
  readonly file: string;
  readonly alive: boolean;
}

export function listTmp(storeDir: string): TmpEntry[] {
  const dir = path.join(storeDir, "tmp");
  return fs
    .readdirSync(dir)
    .map((name) => ({ file: path.join(dir, name), alive: pidLives(Number.parseInt(name, 10)) }));
}

export function pidLives(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
