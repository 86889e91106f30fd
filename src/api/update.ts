/** Pins sources anew, and says what changed. */
import { EXIT } from "../base/error-codes.ts";
import { BootwrightError } from "../base/errors.ts";
import { readIfExists } from "../base/fs.ts";
import { didYouMean } from "../base/suggest.ts";
import { diffLocks, formatLock, type Lock, type LockChange, loadLock, writeLock } from "../source/lock.ts";
import { resolveRequests } from "./pins.ts";
import { openProject, planProject } from "./project.ts";
import type { Report, Session } from "./session.ts";

export interface UpdateOptions {
  /** Packages, addresses or whole requests; default all. */
  readonly names: readonly string[];
  readonly dryRun: boolean;
}

export async function update(session: Session, { names, dryRun }: UpdateOptions): Promise<Report> {
  if (session.offline) throw new BootwrightError("OFFLINE", "update asks mirrors and servers, which --offline forbids");
  await using project = await openProject(session);
  const before = loadLock(project.lockFile);
  const { ctx } = planProject(project, { images: [], lock: before });
  const requests = [...ctx.requests].filter(
    ([request]) => names.length === 0 || names.some((name) => isAbout(request, { name, lock: before })),
  );
  const unknown = names.filter(
    (name) => ![...ctx.requests.keys()].some((request) => isAbout(request, { name, lock: before })),
  );
  if (unknown.length > 0) {
    const words = [...ctx.requests.keys()].flatMap((request) => request.split(" "));
    throw new BootwrightError(
      "NAME_UNKNOWN",
      `nothing in this project is pinned under "${unknown[0]}"${didYouMean(unknown[0]!, words)}`,
      { hint: `pinned: ${[...ctx.requests.keys()].join("; ")}` },
    );
  }
  const pins = await resolveRequests(
    project,
    requests.map(([, request]) => request),
  );
  // With no name, pins that nothing asks for any more go.
  const kept =
    names.length === 0
      ? Object.fromEntries(Object.entries(before).filter(([request]) => ctx.requests.has(request)))
      : before;
  const after: Lock = { ...kept, ...pins };
  const changes = diffLocks(before, after);
  if (changes.length > 0 && session.frozen)
    throw new BootwrightError(
      "LOCK_FROZEN",
      `the lock would change: ${changes.map((change) => change.request).join(", ")}`,
    );
  // What an older Bootwright wrote may hold what is not written down any more.
  const old = readIfExists(project.lockFile)?.toString("utf8");
  const stale = !session.frozen && old !== undefined && old !== formatLock(after);
  if ((changes.length > 0 || stale) && !dryRun) writeLock(project.lockFile, after);
  return {
    data: { changes: changes.map((change) => ({ ...change })), dryRun },
    text: changes.map((change) => changeText(change, dryRun)).join("\n"),
    summary:
      changes.length === 0
        ? "everything is pinned to what the sources have now"
        : dryRun
          ? "nothing was written (--dry-run)"
          : "bootwright.lock is written\nnext: bootwright build",
    exit: dryRun && changes.length > 0 ? EXIT.different : EXIT.ok,
  };
}

function isAbout(request: string, { name, lock }: { name: string; lock: Lock }): boolean {
  const entry = lock[request];
  return (
    request === name ||
    request.split(" ").includes(name) ||
    ((entry?.type === "debian" || entry?.type === "alpine") && entry.packages.some((pin) => pin.name === name))
  );
}

function changeText({ request, before, after }: LockChange, dryRun: boolean): string {
  const would = dryRun ? "would be " : "";
  if (before === undefined) return `+ ${request}: ${would}pinned to ${after}`;
  if (after === undefined) return `- ${request}: ${would}dropped (was ${before})`;
  return `~ ${request}: ${before} → ${after}`;
}
