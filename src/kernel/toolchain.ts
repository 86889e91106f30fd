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
  /** What compiles for this machine itself. */
  readonly hostCompiler: "gcc" | "clang";
  readonly rust: boolean;
  /** Programs that must be there, when they are the host's own. */
  readonly programs: readonly string[];
  /** What of the host the sandbox shows, when the tools are the host's own. */
  readonly hostPaths?: readonly string[];
}

export interface ToolchainOptions {
  readonly arch: KernelArchitecture;
  /** The processor that the toolroot runs on: where it is another one, a cross compiler does the work. */
  readonly host: KernelArchitecture;
  /** "llvm": clang and LLVM's binutils, which cross by themselves (kernel Documentation/kbuild/llvm.rst). */
  readonly compiler: "gcc" | "llvm";
  readonly rust: boolean;
}

const PACKAGES = [
  ...["bash", "bc", "binutils", "bison", "bzip2", "ccache", "coreutils", "cpio", "dash", "diffutils", "dwarves"],
  ...["findutils", "flex", "grep", "gzip", "kmod", "libc6-dev", "libelf-dev", "libssl-dev", "make", "mawk"],
  ...["openssl", "patch", "perl-base", "sed", "tar", "xz-utils", "zstd"],
];

const LLVM_PACKAGES = ["clang", "lld", "llvm"];

/** bindgen reads C headers by clang's library. */
const RUST_PACKAGES = ["bindgen", "clang", "libclang-dev", "rust-src", "rustc"];

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

export function toolchain({ arch, host, compiler, rust }: ToolchainOptions): Toolchain {
  const { make, srcArch, target, compiler: crossPackage, prefix } = ARCHITECTURES[arch];
  const cross = arch !== host;
  const llvm = compiler === "llvm";
  const packages = [
    ...PACKAGES,
    ...(llvm ? LLVM_PACKAGES : ["gcc", ...(cross ? [crossPackage] : [])]),
    ...(rust ? RUST_PACKAGES : []),
  ];
  return {
    packages: [...new Set(packages)].sort(),
    make: [`ARCH=${make}`, ...(llvm ? ["LLVM=1"] : cross ? [`CROSS_COMPILE=${prefix}`] : [])],
    srcArch,
    target,
    imagePath: `arch/${srcArch}/boot/${target}`,
    compilers: llvm ? ["clang"] : cross ? ["gcc", `${prefix}gcc`] : ["gcc"],
    hostCompiler: llvm ? "clang" : "gcc",
    rust,
    programs: [
      ...(llvm ? ["clang", "ld.lld", "llvm-ar"] : ["as", "gcc", "ld", ...(cross ? [`${prefix}gcc`] : [])]),
      ...(rust ? ["bindgen", "rustc"] : []),
    ],
  };
}

/**
 * What kbuild would take from the clock, the user and the host. The time stands in `uname -v` and in what the kernel packs.
 * `epoch` in seconds. A kernel that was built by the host's own tools says so in /proc/version.
 */
export function buildEnvironment(epoch: number, { hostPaths }: Toolchain): Readonly<Record<string, string>> {
  return {
    CCACHE_COMPILERCHECK: "content",
    CCACHE_DIR: "/build/caches/ccache",
    CCACHE_MAXSIZE: "4G",
    KBUILD_BUILD_HOST: hostPaths === undefined ? "bootwright" : "host-tools",
    KBUILD_BUILD_TIMESTAMP: dateText(epoch),
    KBUILD_BUILD_USER: "bootwright",
    KBUILD_BUILD_VERSION: "1",
    LC_ALL: "C",
    SOURCE_DATE_EPOCH: String(epoch),
  };
}

/** As date(1) prints it: "Thu Nov 26 19:01:51 UTC 2026". */
function dateText(epoch: number): string {
  const [weekday, day, month, year, time] = new Date(epoch * 1000).toUTCString().replace(",", "").split(" ");
  return `${weekday} ${month} ${day} ${time} UTC ${year}`;
}
