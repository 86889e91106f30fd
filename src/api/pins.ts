/** Answers requests that the lock does not know, and writes the answers down. */
import { BootwrightError } from "../base/errors.ts";
import { requireTools } from "../base/host-tools.ts";
import { aptSources } from "../source/apt-config.ts";
import { type Lock, type LockEntry, loadLock, writeLock } from "../source/lock.ts";
import { requestName, type SourceRequest } from "../source/request.ts";
import type { Resolver } from "../source/resolver.ts";
import type { Project, ProjectPlan } from "./project.ts";

/** The lock with the missing pins added. Throws LOCK_FROZEN or OFFLINE when that is forbidden. */
export async function pinMissing(project: Project, plan: Pick<ProjectPlan, "ctx">): Promise<Lock> {
  const { session } = project;
  const names = [...plan.ctx.missing.keys()];
  if (session.frozen)
    throw new BootwrightError("LOCK_FROZEN", `the lock has no pin for ${names.map((name) => `"${name}"`).join(", ")}`, {
      hint: "run `bootwright update` and commit bootwright.lock",
    });
  if (session.offline)
    throw new BootwrightError(
      "OFFLINE",
      `the lock has no pin for ${names.map((name) => `"${name}"`).join(", ")}, and resolving needs the network`,
    );
  const pins = await resolveRequests(project, [...plan.ctx.missing.values()]);
  // Another build of this project may have pinned meanwhile: its pins stand.
  const lock = { ...pins, ...loadLock(project.lockFile) };
  writeLock(project.lockFile, lock);
  session.emit({
    type: "note",
    text: `pinned ${names.length} source${names.length === 1 ? "" : "s"} in bootwright.lock`,
  });
  return lock;
}

export async function resolveRequests(
  project: Project,
  requests: readonly SourceRequest[],
): Promise<Record<string, LockEntry>> {
  const tools = new Set(
    requests.flatMap((request) =>
      request.type === "git" ? (["git"] as const) : request.type.startsWith("debian") ? (["gpgv"] as const) : [],
    ),
  );
  requireTools([...tools]);
  const resolver = await projectResolver(project);
  const { emit, signal } = project.session;
  project.store.begin();
  const entries: Record<string, LockEntry> = {};
  const kinds = requests.some((request) => request.type.startsWith("debian"));
  if (kinds) emit({ type: "note", text: "reading the package index (InRelease verified with gpgv)" });
  if (requests.some((request) => request.type === "alpine"))
    emit({ type: "note", text: "reading Alpine's package index (its signature verified), and fetching what it pins" });
  await Promise.all(
    requests.map(async (request) => {
      signal.throwIfAborted();
      entries[requestName(request)] = await resolver.resolve(request);
    }),
  );
  return entries;
}

/** What resolves is loaded only now: most builds have all their pins. */
export async function projectResolver(project: Project): Promise<Resolver> {
  const { Resolver } = await import("../source/resolver.ts");
  const { store, session, config } = project;
  return new Resolver({
    store,
    emit: session.emit,
    signal: session.signal,
    aptSources: (suite = config.sources.debian.suite) =>
      aptSources({ ...config.sources.debian, suite }, { projectDir: config.dir }),
    findImage: async (request) => (await import("./registry-images.ts")).pinImage(project, request),
    findRelease: async (request) => (await import("./release-sources.ts")).pinRelease(project, request),
    findBundle: async (request) => (await import("./catalogs.ts")).pinBundle(project, request),
  });
}
