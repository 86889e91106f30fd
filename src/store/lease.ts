/** Tells a live process from a dead one whose number was given away again: pid, its start time, and the boot. */
import fs from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  /** Boot id and start time; the same pid with another value is another process. */
  readonly boot: string;
}

export const processIdentity = (pid: number = process.pid): ProcessIdentity => ({
  pid,
  boot: `${bootId()}:${startTime(pid) ?? "gone"}`,
});

export function isAlive(identity: ProcessIdentity): boolean {
  const start = startTime(identity.pid);
  return start !== undefined && identity.boot === `${bootId()}:${start}`;
}

function bootId(): string {
  try {
    return fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return "unknown";
  }
}

/** Field 22 of proc(5) stat, clock ticks since boot; the name in parentheses may hold spaces. */
function startTime(pid: number): string | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}
