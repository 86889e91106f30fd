/**
 * `npm ci` refuses a lock file that lacks an optional dependency, also one for another platform. npm leaves out those that its
 * registry did not have when the lock was made (mirrors often keep only what they were asked for), so they are added from
 * what the names of such packages say. They have no digest; only a host of that platform would fetch them.
 */
export interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly os?: readonly string[];
  readonly cpu?: readonly string[];
  readonly libc?: readonly string[];
}

export type LockedPackages = Readonly<Record<string, LockedPackage>>;

/** The same with an entry for each optional dependency. Throws an error for a name that tells no platform. */
export function completeLock(packages: LockedPackages): LockedPackages {
  const added = Object.values(packages).flatMap(({ dev, optionalDependencies = {} }) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => packages[`node_modules/${name}`] === undefined)
      .map(([name, version]): [string, LockedPackage] => [
        `node_modules/${name}`,
        { version, ...platformOf(name), ...(dev && { dev }), optional: true },
      ]),
  );
  return Object.fromEntries(Object.entries({ ...packages, ...Object.fromEntries(added) }).sort(byName));
}

const SYSTEMS = ["aix", "android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const PROCESSORS = ["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"];

function platformOf(name: string): Pick<LockedPackage, "os" | "cpu" | "libc"> {
  const words = name.slice(name.indexOf("/") + 1).split("-");
  const os = words.find((word) => SYSTEMS.includes(word));
  const cpu = words.map((word) => (word === "armv7" ? "arm" : word)).find((word) => PROCESSORS.includes(word));
  if (os === undefined || cpu === undefined)
    throw new Error(`${name} is in no registry that was asked, and its name tells no platform`);
  const last = words.at(-1)!;
  const libc = /^musl/.test(last) ? "musl" : /^gnu/.test(last) ? "glibc" : undefined;
  return { cpu: [cpu], ...(libc && { libc: [libc] }), os: [os] };
}

/** As npm sorts. */
const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => a.localeCompare(b, "en");
