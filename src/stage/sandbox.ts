/**
 * Runs a program with a toolroot as its root, read-only, without network, seeing nothing of the host but `/build`.
 * bubblewrap where it is installed, else unshare(1); both need user namespaces unless we are root.
 */
import { BootwrightError } from "../base/errors.ts";
import type { Emit } from "../base/events.ts";
import { readIfExists, removeQuietly } from "../base/fs.ts";
import { findProgram } from "../base/host-tools.ts";
import { type RunResult, run } from "../base/process.ts";

export interface SandboxOptions {
  /** The toolroot's directory; it holds the mount points proc, dev, tmp and build. */
  readonly root: string;
  /** Writable, seen as /build, where the program starts. */
  readonly build: string;
  readonly argv: readonly string[];
  /** The program may mount and change its root, within its own namespaces. Default: it has no rights at all. */
  readonly mounts?: boolean | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Directories of the host by name, writable, seen as /build/caches/NAME, where /build must have a directory for each. */
  readonly caches?: Readonly<Record<string, string>>;
  /** Directories and files of the host, seen read-only at the same place, where the root must have something to put them on. */
  readonly hostPaths?: readonly string[] | undefined;
  /** A directory below /build that lies in memory: tens of thousands of small files come and go at once. /build must have it. */
  readonly inMemory?: string;
  readonly signal: AbortSignal;
  readonly emit: Emit;
  readonly onLine?: (line: string) => void;
}

/** Directories that a toolroot must hold. */
export const MOUNT_POINTS = ["build", "dev", "proc", "tmp"] as const;

export const SANDBOX_PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

const FIXED_ENVIRONMENT = {
  PATH: SANDBOX_PATH,
  HOME: "/build",
  LANG: "C.UTF-8",
  TZ: "UTC",
  PWD: "/build", // bwrap sets it whether or not it is asked to.
};

/** Throws PROGRAM_FAILED, or SANDBOX_UNAVAILABLE when this host can confine nothing. */
export async function runInSandbox(options: SandboxOptions): Promise<RunResult> {
  // Beside /build, not in it: no program reaches it, and a store sweeps it up with the rest when we are killed.
  const status = `${options.build}.status`;
  try {
    const result = await run(withStatus(status, sandboxCommand(options)), {
      signal: options.signal,
      emit: options.emit,
      ...(options.onLine && { onLine: options.onLine }),
      grace: 0, // Its files are thrown away, and unshare(1) does not pass TERM on.
      accept: Array.from({ length: 256 }, (_, i) => i),
    });
    if (result.exit === 0) return result;
    if (!hasStarted(status) && !isMissingProgram(result.stderr))
      throw new BootwrightError("SANDBOX_UNAVAILABLE", "the sandbox did not start", {
        detail: result.stderr.trimEnd(),
        hint: "bootwright doctor",
      });
    throw new BootwrightError(
      "PROGRAM_FAILED",
      `${options.argv[0]} ended with exit code ${result.exit} in the sandbox`,
      {
        detail: [`command: ${options.argv.map(oneLine).join(" ")}`, ...result.stderr.trimEnd().split("\n")].join("\n"),
      },
    );
  } finally {
    removeQuietly(status);
  }
}

/** A script as an argument is longer than what it says when it fails. */
const oneLine = (word: string): string => {
  const lines = word.trimEnd().split("\n");
  return lines.length === 1 ? word : `${lines[0]} … (${lines.length} lines)`;
};

/** The sandbox says on file descriptor 3 how far it has come, where the program cannot: what it writes to stderr may look like anything. */
const withStatus = (file: string, command: readonly string[]): string[] => [
  ...["sh", "-c", 'exec 3>"$1" && shift && exec "$@"', "bootwright-sandbox", file],
  ...command,
];

/** bwrap tells the exit code of a program that it could start, and of no other (bwrap(1), --json-status-fd); our own script writes the same word. */
const hasStarted = (status: string): boolean => readIfExists(status)?.includes(STARTED) ?? false;

/** Asked only when nothing has started: then all lines are bwrap's own. */
const isMissingProgram = (stderr: string): boolean => /^bwrap: execvp /m.test(stderr);

const STARTED = "exit-code";

/** Which sandbox this host offers, in the order of preference. */
export function sandboxKind(): "bwrap" | "unshare" {
  if (findProgram("bwrap") !== undefined) return "bwrap";
  if (findProgram("unshare") !== undefined) return "unshare";
  throw new BootwrightError(
    "SANDBOX_UNAVAILABLE",
    "neither bwrap (package bubblewrap) nor unshare (package util-linux) is installed",
    { hint: "bootwright doctor --fix" },
  );
}

function sandboxCommand(options: SandboxOptions): string[] {
  return (process.env.BOOTWRIGHT_SANDBOX ?? sandboxKind()) === "unshare"
    ? unshareCommand(options)
    : bwrapCommand(options);
}

function bwrapCommand(options: SandboxOptions): string[] {
  const { root, build, argv, env, mounts = false, caches = {}, hostPaths = [], inMemory } = options;
  return [
    ...["bwrap", "--unshare-user", "--unshare-all", "--die-with-parent", "--new-session"],
    ...["--json-status-fd", "3"],
    ...["--uid", "0", "--gid", "0", "--hostname", "bootwright"],
    ...(mounts ? ["--cap-add", "ALL"] : []), // Of the new user namespace, whoever we are outside.
    ...["--ro-bind", root, "/"],
    ...hostPaths.flatMap((path) => ["--ro-bind", path, path]),
    ...["--proc", "/proc"],
    ...["--dev", "/dev"],
    ...["--tmpfs", "/tmp"],
    ...["--bind", build, "/build"],
    ...Object.entries(caches).flatMap(([name, dir]) => ["--bind", dir, `/build/caches/${name}`]),
    ...(inMemory === undefined ? [] : ["--tmpfs", `/build/${inMemory}`]),
    ...["--chdir", "/build"],
    "--clearenv",
    ...Object.entries({ ...FIXED_ENVIRONMENT, ...env }).flatMap(([name, value]) => ["--setenv", name, value]),
    "--",
    ...argv,
  ];
}

/**
 * The same by hand. The root is bound onto itself, furnished, and made read-only before the program sees it. /dev must not be
 * a tmpfs's usual 1777: in a sticky directory the kernel lets nobody open another's file with O_CREAT, so `>/dev/null` fails.
 */
const UNSHARE_SCRIPT = `set -e
root=$1 build=$2 memory=$3 host=$4 caches=$5
shift 5
mount --rbind "$root" "$root"
while [ "$host" -gt 0 ]; do
  mount --rbind "$1" "$root$1"
  mount -o remount,bind,ro "$root$1"
  shift
  host=$((host - 1))
done
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null zero full random urandom; do
  : >"$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mount --bind "$build" "$root/build"
[ -z "$memory" ] || mount -t tmpfs tmpfs "$root/build/$memory"
while [ "$caches" -gt 0 ]; do
  mount --bind "$2" "$root/build/caches/$1"
  shift 2
  caches=$((caches - 1))
done
mount -o remount,bind,ro "$root"
hostname bootwright 2>/dev/null || :
echo ${STARTED} >&3
exec "$@" 3>&-`;

function unshareCommand(options: SandboxOptions): string[] {
  const { root, build, argv, env, caches = {}, hostPaths = [], inMemory = "" } = options;
  const set = Object.entries({ ...FIXED_ENVIRONMENT, ...env }).map(([name, value]) => `${name}=${value}`);
  // The program's PATH is not where this host keeps its own programs.
  const enter = findProgram("unshare") ?? "unshare";
  return [
    ...[
      "unshare",
      "--user",
      "--map-root-user",
      "--mount",
      "--pid",
      "--fork",
      "--kill-child",
      "--net",
      "--ipc",
      "--uts",
    ],
    ...["--", "sh", "-c", UNSHARE_SCRIPT, "bootwright-sandbox", root, build],
    ...[inMemory, String(hostPaths.length), String(Object.keys(caches).length)],
    ...[...hostPaths, ...Object.entries(caches).flat()],
    ...["env", "-i", ...set],
    ...[enter, `--root=${root}`, "--wd=/build"],
    ...argv,
  ];
}
