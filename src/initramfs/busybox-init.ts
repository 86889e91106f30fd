/**
 * What BusyBox init needs to be the first program: its inittab, a start script that mounts what every program expects
 * and loads the chosen modules, and the project's programs and services. Text only; the stage puts it into the tree.
 */

export interface BusyboxInitOptions {
  /** Programs of the tree, run one after the other before services and console start. */
  readonly run: readonly string[];
  readonly services: Readonly<
    Record<string, { readonly exec: readonly string[]; readonly restart: "always" | "never" }>
  >;
  readonly console: "shell" | "login" | "none";
  readonly agent: boolean;
  /** Module files in load order, below the root; see kernel/modules. */
  readonly modules: readonly string[];
  /** Those that are loaded after the programs of `run`. */
  readonly laterModules: readonly string[];
  /** Load what drives the devices that are there, of the modules in the tree. */
  readonly coldplug: boolean;
}

/** Path → file, as `files` of the config says them. */
export interface InitFile {
  readonly content: string;
  readonly mode: number;
}

export function busyboxInitFiles(options: BusyboxInitOptions): Record<string, InitFile> {
  const files: Record<string, InitFile> = {
    "/etc/inittab": { content: inittab(options), mode: 0o644 },
    "/etc/init.d/rcS": { content: startScript(options), mode: 0o755 },
  };
  if (options.laterModules.length > 0)
    files[LATER] = { content: `${["#!/bin/sh", ...options.laterModules.map(load)].join("\n")}\n`, mode: 0o755 };
  for (const [name, { exec }] of Object.entries(options.services)) files[`/etc/service.d/${name}`] = starter(exec);
  for (const [i, program] of options.run.entries()) if (!isPlain(program)) files[starterOf(i)] = starter([program]);
  return files;
}

/** init splits its lines at blanks, and takes what it reads for a shell's; a script of its own keeps words whole. */
const starter = (exec: readonly string[]): InitFile => ({
  content: `#!/bin/sh\nexec ${exec.map(quote).join(" ")}\n`,
  mode: 0o755,
});

const LATER = "/etc/init.d/modules";

const starterOf = (i: number): string => `/etc/run.d/${i + 1}`;

/** BusyBox init's inittab: ID:RUNLEVELS:ACTION:PROCESS. Order of actions: sysinit, wait, once, then the rest. */
function inittab({ run, services, console, agent, laterModules }: BusyboxInitOptions): string {
  const lines = ["::sysinit:/etc/init.d/rcS"];
  for (const [i, program] of run.entries()) lines.push(`::wait:${isPlain(program) ? program : starterOf(i)}`);
  if (laterModules.length > 0) lines.push(`::wait:${LATER}`);
  for (const [name, { restart }] of Object.entries(services))
    lines.push(`::${restart === "always" ? "respawn" : "once"}:/etc/service.d/${name}`);
  if (agent) lines.push("::once:/usr/lib/bootwright/agent");
  // cttyhack gives the shell the real console as its terminal: job control and Ctrl-C work.
  if (console === "shell") lines.push("::respawn:-/bin/cttyhack /bin/sh");
  if (console === "login") lines.push("::respawn:/sbin/getty -L 0 console vt100");
  lines.push("::ctrlaltdel:/sbin/reboot", "::shutdown:/bin/umount -a -r", "::restart:/sbin/init");
  return `${lines.join("\n")}\n`;
}

function startScript({ modules, coldplug }: BusyboxInitOptions): string {
  const lines = [
    "#!/bin/sh",
    "# Runs once, before anything else.",
    "mount -t proc -o nosuid,nodev,noexec proc /proc",
    "mount -t sysfs -o nosuid,nodev,noexec sysfs /sys",
    "mount -t devtmpfs -o nosuid devtmpfs /dev 2>/dev/null",
    "mkdir -p /dev/pts /dev/shm",
    "mount -t devpts -o nosuid,noexec,gid=5,mode=620 devpts /dev/pts",
    "mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm",
    "mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run",
    "[ -s /etc/hostname ] && hostname -F /etc/hostname",
    "ip link set lo up 2>/dev/null",
  ];
  lines.push(...modules.map(load));
  if (coldplug) lines.push(COLDPLUG);
  return `${lines.join("\n")}\n`;
}

const load = (module: string): string =>
  `insmod ${quote(module)} || echo ${quote(`bootwright: cannot load ${module}`)} >&2`;

/** A driver may make further devices appear (a bus behind a bus): until nothing new does. */
export const COLDPLUG = `seen=
while devices=$(find /sys/devices -name modalias -exec cat {} + 2>/dev/null | sort -u) && [ "$devices" != "$seen" ]; do
  seen=$devices
  echo "$devices" | xargs modprobe -a -q 2>/dev/null
done`;

const isPlain = (word: string): boolean => /^[\w@%+=:,./-]+$/.test(word);

export const quote = (word: string): string => (isPlain(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
