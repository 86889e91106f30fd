/** Which programs build a kernel, and how kbuild is told (kernel Documentation/kbuild/kbuild.rst, Documentation/kbuild/reproducible-builds.rst). */

export type KernelArchitecture = "x86_64" | "aarch64";

export interface Toolchain {
  /** Debian packages of the toolroot, without what they depend on. */
  readonly packages: readonly string[];
  /** Variables for `make`. */
  readonly make: readonly string[];
  /** The architecture's directory below arch/. */
  readonly srcArch: "x86" | "arm64";
  /** The make target whose result firmware or a loader starts, and where it lies. */
  readonly target: "bzImage" | "Image";
  readonly imagePath: string;
  /** Compilers that ccache stands in for. */
  readonly compilers: readonly string[];
}

const PACKAGES = [
  ...["bash", "bc", "binutils", "bison", "bzip2", "ccache", "coreutils", "cpio", "dash", "diffutils", "dwarves"],
  ...["findutils", "flex", "gcc", "grep", "gzip", "kmod", "libc6-dev", "libelf-dev", "libssl-dev", "make", "mawk"],
  ...["openssl", "patch", "perl-base", "sed", "tar", "xz-utils", "zstd"],
];

const ARCHITECTURES = {
  x86_64: {
    make: "x86_64",
    srcArch: "x86",
    target: "bzImage",
    compiler: "gcc-x86-64-linux-gnu",
    prefix: "x86_64-linux-gnu-",
  },
  aarch64: {
    make: "arm64",
    srcArch: "arm64",
    target: "Image",
    compiler: "gcc-aarch64-linux-gnu",
    prefix: "aarch64-linux-gnu-",
  },
} as const;

/** `host` is the processor that the toolroot runs on: where it is another one, a cross compiler does the work. */
export function toolchain(arch: KernelArchitecture, host: KernelArchitecture): Toolchain {
  const { make, srcArch, target, compiler, prefix } = ARCHITECTURES[arch];
  const cross = arch !== host;
  return {
    packages: cross ? [...PACKAGES, compiler] : PACKAGES,
    make: [`ARCH=${make}`, ...(cross ? [`CROSS_COMPILE=${prefix}`] : [])],
    srcArch,
    target,
    imagePath: `arch/${srcArch}/boot/${target}`,
    compilers: cross ? ["gcc", `${prefix}gcc`] : ["gcc"],
  };
}

/**
 * What kbuild would take from the clock, the user and the host. The time stands in `uname -v` and in what the kernel packs.
 * `epoch` in seconds.
 */
export function buildEnvironment(epoch: number): Readonly<Record<string, string>> {
  return {
    CCACHE_COMPILERCHECK: "content",
    CCACHE_DIR: "/build/caches/ccache",
    CCACHE_MAXSIZE: "4G",
    KBUILD_BUILD_HOST: "bootwright",
    KBUILD_BUILD_TIMESTAMP: dateText(epoch),
    KBUILD_BUILD_USER: "bootwright",
    KBUILD_BUILD_VERSION: "1",
    LC_ALL: "C",
    SOURCE_DATE_EPOCH: String(epoch),
    XZ_OPT: "--threads=0",
  };
}

/** As date(1) prints it: "Thu Nov 26 19:01:51 UTC 2026". */
function dateText(epoch: number): string {
  const [weekday, day, month, year, time] = new Date(epoch * 1000).toUTCString().replace(",", "").split(" ");
  return `${weekday} ${month} ${day} ${time} UTC ${year}`;
}
