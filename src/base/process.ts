/**
 * The one place that starts processes. No shell, an explicit environment, each child in its own process group so that
 * cancelling takes grandchildren along: TERM, five seconds, KILL.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { withoutAccount } from "./account.ts";
import { systemClock } from "./clock.ts";
import { BootwrightError, systemCode } from "./errors.ts";
import { type Emit, silent } from "./events.ts";

export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment; default: PATH, HOME and LANG=C.UTF-8 only. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: Uint8Array | string;
  readonly signal?: AbortSignal | undefined;
  readonly emit?: Emit;
  /** Called for each whole line of stderr (and of stdout when `lines` is "both"). */
  readonly onLine?: (line: string) => void;
  /** Exit codes that are not a failure; default [0]. */
  readonly accept?: readonly number[];
  /** Bytes of stdout that are kept; more is an error. Default 64 MiB. */
  readonly maxOutput?: number;
  /** Milliseconds; default none. */
  readonly timeout?: number;
  /** Milliseconds between TERM and KILL when it is cancelled; default 5000. 0 kills at once: for what has nothing to tidy up. */
  readonly grace?: number;
}

export interface RunResult {
  readonly exit: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const STDERR_LINES = 40;

/** Runs a program to its end. Throws PROGRAM_FAILED, HOST_TOOL_MISSING when it is not there, or the signal's reason. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const child = start(argv, options);
  const stdout: Buffer[] = [];
  let size = 0;
  let overflow = false;
  child.stdout!.on("data", (chunk: Buffer) => {
    size += chunk.length;
    if (size > (options.maxOutput ?? 64 * 1024 * 1024)) {
      overflow = true;
      void stop(child, 0);
    } else stdout.push(chunk);
  });
  const tail = keepTail(child, options.onLine);
  child.stdin!.on("error", () => {}); // The program may not read its input: its exit code tells.
  child.stdin!.end(options.stdin ?? "");
  const { exit, signal } = await ended(child, argv, options);
  if (options.signal?.aborted) throw options.signal.reason;
  if (overflow)
    throw new BootwrightError(
      "PROGRAM_FAILED",
      `${argv[0]} wrote more than ${options.maxOutput ?? 64 * 1024 * 1024} bytes`,
    );
  if (exit === null || !(options.accept ?? [0]).includes(exit)) {
    throw new BootwrightError(
      "PROGRAM_FAILED",
      `${withoutAccount(shellQuote(argv))} ${exit === null ? `was killed by ${signal}` : `ended with exit code ${exit}`}`,
      {
        detail: withoutAccount(tail().trimEnd()),
      },
    );
  }
  return { exit, stdout: Buffer.concat(stdout), stderr: tail() };
}

/** Starts a program that lives beside us (a virtual machine, a server). The caller stops it. */
export function start(
  argv: readonly string[],
  options: Pick<RunOptions, "cwd" | "env" | "emit" | "signal" | "grace"> & {
    stdio?: "pipe" | ["pipe" | "ignore", "pipe", "pipe"];
  } = {},
): ChildProcess {
  const emit = options.emit ?? silent;
  const began = systemClock.elapsed();
  const child = spawn(argv[0]!, argv.slice(1), {
    cwd: options.cwd,
    env: { ...(options.env ?? defaultEnvironment()) },
    stdio: options.stdio ?? "pipe",
    detached: true, // Its own process group.
  });
  child.on("error", () => {}); // Seen by ended(); without a listener Node would throw.
  if (child.pid !== undefined) {
    const pid = child.pid;
    live.add(child);
    emit({ type: "process.start", argv, pid });
    child.once("exit", (exit, signal) => {
      live.delete(child);
      emit({ type: "process.end", pid, exit, signal, ms: systemClock.elapsed() - began });
    });
  }
  const abort = () => void stop(child, options.grace);
  options.signal?.addEventListener("abort", abort, { once: true });
  child.once("exit", () => options.signal?.removeEventListener("abort", abort));
  if (options.signal?.aborted) abort();
  return child;
}

/** TERM to the whole group, KILL after `grace` milliseconds; resolves when the child has ended. */
export async function stop(child: ChildProcess, grace = 5000): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  if (grace > 0) killGroup(child, "SIGTERM");
  else killGroup(child, "SIGKILL");
  const timer = setTimeout(() => killGroup(child, "SIGKILL"), grace);
  await gone;
  clearTimeout(timer);
  killGroup(child, "SIGKILL"); // Grandchildren that outlived the leader.
}

/** Kills every group that this process started: the last act before it exits. */
export function killAll(): void {
  for (const child of live) killGroup(child, "SIGKILL");
}

/** Copy-pasteable. */
export const shellQuote = (argv: readonly string[]): string =>
  argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");

export const defaultEnvironment = (): Record<string, string> => ({
  PATH: hostPath(),
  HOME: process.env.HOME ?? "/",
  LANG: "C.UTF-8",
});

/** For programs that load what the user has set up for them, such as the library of a token: all that this process was given. */
export const inheritedEnvironment = (): Record<string, string> => ({
  ...Object.fromEntries(Object.entries(process.env).filter((pair): pair is [string, string] => pair[1] !== undefined)),
  ...defaultEnvironment(),
});

/** PATH with the sbin directories that ordinary users lack. */
export const hostPath = (): string => {
  const dirs = (process.env.PATH ?? "").split(":").filter((dir) => dir !== "");
  for (const dir of ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"])
    if (!dirs.includes(dir)) dirs.push(dir);
  return dirs.join(":");
};

const live = new Set<ChildProcess>();

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal);
  } catch {}
}

function keepTail(child: ChildProcess, onLine?: (line: string) => void): () => string {
  const lines: string[] = [];
  let rest = "";
  child.stderr!.setEncoding("utf8");
  child.stderr!.on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!.slice(-4096);
    for (const line of parts) {
      onLine?.(line);
      lines.push(line.slice(0, 2000));
      if (lines.length > STDERR_LINES) lines.shift();
    }
  });
  return () => [...lines, ...(rest === "" ? [] : [rest])].join("\n");
}

function ended(
  child: ChildProcess,
  argv: readonly string[],
  options: RunOptions,
): Promise<{ exit: number | null; signal: string | null }> {
  return new Promise((resolve, reject) => {
    const timer = options.timeout === undefined ? undefined : setTimeout(() => void stop(child), options.timeout);
    child.once("error", (error) => {
      clearTimeout(timer);
      if (systemCode(error) === "ENOENT" && child.pid === undefined)
        reject(
          new BootwrightError("HOST_TOOL_MISSING", `the program ${argv[0]} is not installed`, {
            hint: "bootwright doctor",
            cause: error,
          }),
        );
      else reject(error);
    });
    child.once("close", (exit, signal) => {
      clearTimeout(timer);
      resolve({ exit, signal });
    });
  });
}
