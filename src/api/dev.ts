/**
 * Watches, rebuilds, reboots. One machine at a time; a change that leaves the image's bytes as they were reboots
 * nothing, and a broken edit leaves the running machine alone.
 */
import path from "node:path";
import { systemClock } from "../base/clock.ts";
import { BootwrightError, isBootwrightError, messageOf } from "../base/errors.ts";
import { readIfExists } from "../base/fs.ts";
import { formatDuration } from "../base/size.ts";
import { Watcher } from "../base/watch.ts";
import type { Machine } from "../vm/index.ts";
import type { GuestTerminal } from "./boot.ts";
import { type Firmware, type PreparedMachine, prepareMachine } from "./machine.ts";
import { openProject, planProject } from "./project.ts";
import type { Report, Session } from "./session.ts";

export interface DevOptions {
  /** Image or machine; default the only one. */
  readonly image?: string;
  /** Default "direct": firmware takes longer than everything else. */
  readonly firmware?: Firmware;
  readonly terminal?: GuestTerminal;
  /** Called after each round, for tests and programs. */
  readonly onRound?: (round: DevRound) => void;
}

export interface DevRound {
  readonly outcome: "booted" | "unchanged" | "failed";
  /** Milliseconds from the change to the built image, and from power-on to ready. */
  readonly built: number;
  readonly booted: number | undefined;
  readonly changed: readonly string[];
  readonly error?: unknown;
}

/** Runs until the session's signal, or until the person leaves the console. */
export async function dev(session: Session, options: DevOptions): Promise<Report> {
  const left = new AbortController();
  const signal = AbortSignal.any([session.signal, left.signal]);
  let machine: Machine | undefined;
  const detach = options.terminal?.listen?.(
    (keys) => machine?.console.write(keys),
    () => left.abort(new Error("left the console")),
  );
  const watcher = new Watcher({ settleMs: 30 });
  let identity = "";
  let rounds = 0;
  try {
    for (let changed: readonly string[] = []; ; ) {
      const began = systemClock.elapsed();
      const round = await oneRound({ session: { ...session, signal }, options, identity, watcher });
      const built = systemClock.elapsed() - began;
      rounds++;
      if (round.prepared !== undefined) {
        await machine?.stop();
        machine = await round.prepared.start({ signal, showConsole: true });
        identity = round.prepared.identity;
      }
      const current = machine;
      void announce({ session, round, machine: current, built, changed, options });
      do changed = await watcher.next(signal);
      while (isOwnLock(changed, round));
    }
  } catch (error) {
    if (!left.signal.aborted || session.signal.aborted) throw error;
    return { data: { rounds }, text: "", summary: `left after ${rounds} round${rounds === 1 ? "" : "s"}` };
  } finally {
    detach?.();
    watcher.close();
    await machine?.stop();
  }
}

interface Round {
  /** Absent: the same bytes as before, or a failure. */
  readonly prepared?: PreparedMachine;
  readonly error?: unknown;
  /** The lock as this round left it. */
  readonly lock?: { readonly file: string; readonly content: Buffer | undefined };
}

interface RoundOptions {
  readonly session: Session;
  readonly options: DevOptions;
  readonly identity: string;
  readonly watcher: Watcher;
}

/**
 * The project is opened anew: the config itself may have changed. Its files are watched before they are read for the
 * build, so that no change falls between; after a failure the watched places stay, since the mistake may be in one.
 */
async function oneRound({ session, options, identity, watcher }: RoundOptions): Promise<Round> {
  try {
    await using project = await openProject(session);
    const { ctx } = planProject(project, { images: [] });
    const roots = [...ctx.locals.values()].map((local) => local.snapshot.root);
    watcher.update([...project.configFiles, project.lockFile, ...roots]);
    const prepared = await prepareMachine(project, { name: options.image, firmware: options.firmware ?? "direct" });
    const lock = { file: project.lockFile, content: readIfExists(project.lockFile) };
    return prepared.identity === identity ? { lock } : { lock, prepared };
  } catch (error) {
    if (session.signal.aborted || !isBootwrightError(error) || identity === "") throw error;
    return { error };
  }
}

/** The first build writes the lock, which is watched: no reason for a second one. */
const isOwnLock = (changed: readonly string[], { lock }: Round): boolean =>
  lock?.content !== undefined &&
  changed.every((file) => file === lock.file) &&
  readIfExists(lock.file)?.equals(lock.content) === true;

async function announce({
  session,
  round,
  machine,
  built,
  changed,
  options,
}: {
  session: Session;
  round: Round;
  machine: Machine | undefined;
  built: number;
  changed: readonly string[];
  options: DevOptions;
}): Promise<void> {
  const what =
    changed.length === 0
      ? ""
      : `${changed
          .map((file) => path.relative(session.cwd, file))
          .slice(0, 3)
          .join(", ")}${changed.length > 3 ? ` and ${changed.length - 3} more` : ""}: `;
  const tell = (text: string) => session.emit({ type: "note", text: `${what}${text}` });
  if (round.error !== undefined) {
    session.emit({
      type: "warning",
      text: `${what}${errorText(round.error)}${machine === undefined ? "" : "; the last good image keeps running"}`,
    });
    options.onRound?.({ outcome: "failed", built, booted: undefined, changed, error: round.error });
    return;
  }
  if (round.prepared === undefined) {
    tell(`built in ${formatDuration(built)}, same bytes: not rebooted`);
    options.onRound?.({ outcome: "unchanged", built, booted: undefined, changed });
    return;
  }
  try {
    await machine!.ready;
    tell(`built in ${formatDuration(built)}, booted in ${formatDuration(machine!.bootedIn ?? 0)}`);
    options.onRound?.({ outcome: "booted", built, booted: machine!.bootedIn, changed });
  } catch (error) {
    if (session.signal.aborted || (await machine!.ended).reason === "stopped") return; // Replaced before it was up.
    session.emit({ type: "warning", text: `${what}${errorText(error)}` });
    options.onRound?.({ outcome: "failed", built, booted: undefined, changed, error });
  }
}

function errorText(error: unknown): string {
  if (!(error instanceof BootwrightError)) return messageOf(error);
  const places = error.issues.map(
    (issue) =>
      `\n  ${issue.location?.file ?? ""}:${issue.location?.line ?? "?"}:${issue.location?.column ?? "?"} ${issue.message}`,
  );
  return `${error.code} ${error.message}${places.join("")}${error.detail === undefined ? "" : `\n${error.detail}`}`;
}
