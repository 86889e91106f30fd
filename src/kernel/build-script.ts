/**
 * What the sandbox runs to configure, build and relink a kernel: bash, with kbuild doing the work. All paths are below
 * /build, so no host's directory reaches a byte. Lines for us go to stderr, as the compiler's do.
 */
import type { Toolchain } from "./toolchain.ts";

/**
 * Programs by the names that kbuild calls them, which packages alone do not make: awk, and compilers through ccache where its
 * directory is there. Whether it is changes no byte, so the script is the same, and with it the key.
 */
const prepare = ({ compilers, hostPaths }: Toolchain): string => `set -euo pipefail
umask 022
mkdir -p tools work out
${hostPaths === undefined ? "ln -s /usr/bin/mawk tools/awk" : ""}
[ ! -d caches/ccache ] || for name in ${compilers.join(" ")}; do ln -s /usr/bin/ccache "tools/$name"; done
${PAHOLE}
export PATH=$PWD/tools:$PATH
step() { echo "bootwright: $*" >&2; }
fail() { echo "bootwright: error: $*" >&2; exit 1; }
`;

/** With several threads, pahole numbers types in the order in which these finish; kbuild asks for as many as there are processors. */
const PAHOLE = `[ ! -x /usr/bin/pahole ] || cat >tools/pahole <<'END'
#!/bin/sh
for word; do
  shift
  case $word in -j*) ;; *) set -- "$@" "$word" ;; esac
done
exec /usr/bin/pahole "$@"
END
[ ! -f tools/pahole ] || chmod +x tools/pahole`;

/** Where source and objects of a link lie; in memory where there is plenty, so the object directory is not in it. */
export const WORK = "work";

/** A tarball has its one directory, a commit or a directory of the host has none. */
const unpack = (options = ""): string => `step unpacking
mkdir ${WORK}/unpacked
XZ_OPT=--threads=0 tar -xf inputs/source -C ${WORK}/unpacked${options}
for dir in ${WORK}/unpacked ${WORK}/unpacked/*; do
  if [ -f "$dir/Kbuild" ] && [ -d "$dir/scripts" ]; then mv "$dir" ${WORK}/src; break; fi
done
[ -d ${WORK}/src ] || fail "this is no kernel source: it holds no Kbuild and no scripts/"
`;

/** Strict: a patch that applies only nearly is a patch for another source. */
const patches = (names: readonly string[]): string =>
  names
    .map(
      (name, i) =>
        `patch --directory=${WORK}/src --strip=1 --fuzz=0 --force --silent <inputs/patch-${i} >&2 || fail ${quote(`the patch ${name} does not apply`)}\n`,
    )
    .join("");

const CONFIG_FILES =
  " --exclude='*/tools/testing/*' --wildcards '*Kconfig*' '*scripts/*' '*Makefile*' '*Kbuild*' '*configs/*'";

/** Inputs: source. Output: source, what of it configuring needs: a fiftieth, and unpacking all takes longer than the rest of it. */
export const configSourceScript = ({ toolchain, epoch }: Pick<BuildScriptOptions, "toolchain" | "epoch">): string =>
  `${prepare(toolchain)}${unpack(CONFIG_FILES)}${deterministicTar({ dir: WORK, epoch })} -cf - src | zstd -q -3 -T0 -o outputs/source
`;

export interface ConfigScriptOptions {
  readonly toolchain: Toolchain;
  /** A make target, or "file": inputs/base. */
  readonly base: string;
  readonly patches: readonly string[];
}

/** Inputs: source (all of it where there are patches), fragment, base or patch-N. Outputs: config, symbols (one a line). */
export function configScript({ toolchain, base, patches: names }: ConfigScriptOptions): string {
  const make = `make -C ${WORK}/src O=$PWD/out --no-print-directory ${toolchain.make.join(" ")}`;
  return `${prepare(toolchain)}${unpack()}${patches(names)}step configuring
${toolchain.rust ? rustAvailable(make) : ""}${configure(base, make)}cp out/.config outputs/config
find ${WORK}/src -name '*Kconfig*' -type f -exec sed -nE 's/^[[:space:]]*(menu)?config[[:space:]]+([A-Za-z0-9_]+).*/\\2/p' {} + | sort -u >outputs/symbols
`;
}

/**
 * "allnoconfig" means: what the fragments ask for, and nothing that is not needed for it. Turned on one after the other, options
 * bring others that have a default of their own; given at once as what all-no leaves on (kernel Documentation/kbuild/kconfig.rst,
 * KCONFIG_ALLCONFIG), they do not.
 */
const configure = (base: string, make: string): string =>
  base === "allnoconfig"
    ? `KCONFIG_ALLCONFIG=$PWD/inputs/fragment ${make} allnoconfig >&2\n`
    : `${base === "file" ? "cp inputs/base out/.config" : `${make} ${base} >&2`}\ncat inputs/fragment >>out/.config\n${make} olddefconfig >&2\n`;

/** Kconfig turns Rust off without a word where it cannot be had; this target of kbuild says why (scripts/rust_is_available.sh). */
const rustAvailable = (make: string): string =>
  `${make} rustavailable >rust 2>&1 || { cat rust >&2; fail "this toolchain cannot compile the Rust of this kernel: the lines above say what it lacks"; }\n`;

export interface BuildScriptOptions {
  readonly toolchain: Toolchain;
  readonly patches: readonly string[];
  readonly moduleCompression: "none" | "zstd" | "xz";
  /** Seconds since the epoch. */
  readonly epoch: number;
}

/** Inputs: source, config, patch-N. Outputs: image, vmlinux, systemMap, release, modules (tar), tree (tar.zst). */
export function buildScript(options: BuildScriptOptions): string {
  const { toolchain, moduleCompression, epoch } = options;
  return `${prepare(toolchain)}${unpack()}${patches(options.patches)}
cp inputs/config out/.config
${emptyInitramfs(toolchain)}
${compile(toolchain)}
kmake olddefconfig >&2
cmp -s out/.config inputs/config || { diff inputs/config out/.config >&2 || :; fail "the config changed between configuring and building"; }
${ESTIMATE}
targets=${toolchain.target}
grep -q '^CONFIG_MODULES=y' out/.config && targets="$targets modules"
compile $targets
step collecting
${REMEMBER}
cp out/${toolchain.imagePath} outputs/image
cp out/vmlinux outputs/vmlinux
cp out/System.map outputs/systemMap
kmake -s kernelrelease | tr -d '\\n' >outputs/release
home=modules/lib/modules/$(cat outputs/release)
mkdir -p "$home"
if grep -q '^CONFIG_MODULES=y' out/.config; then
  kmake -s modules_install INSTALL_MOD_PATH=$PWD/modules INSTALL_MOD_STRIP=1 DEPMOD=true >&2
  rm -f "$home/build" "$home/source"
  ${compressModules(moduleCompression)}
else
  # What is built in is worth knowing also where nothing can be loaded.
  for name in modules.builtin modules.builtin.modinfo; do [ ! -f "out/$name" ] || cp "out/$name" "$home/"; done
  touch "$home/modules.order"
fi
depmod -b modules "$(cat outputs/release)"
${deterministicTar({ dir: "modules", epoch })} -cf outputs/modules .
${pruneTree(toolchain)}
${deterministicTar({ dir: ".", epoch })} --no-recursion --files-from=keep -cf - | zstd -q -3 -T0 -o outputs/tree
`;
}

export interface CmdlineScriptOptions {
  readonly toolchain: Toolchain;
  readonly cmdline: string;
  /** Seconds since the epoch. */
  readonly epoch: number;
}

/** Inputs: tree. Output: tree, of a kernel with that command line built in: some files see it, so some are compiled. */
export function cmdlineScript({ toolchain, cmdline, epoch }: CmdlineScriptOptions): string {
  return `${prepare(toolchain)}${UNPACK_TREE}${compile(toolchain)}
${builtInCmdline(cmdline)}compile vmlinux
find out ${WORK}/src \\( -type f -o -type l \\) ! -name '.tmp_vmlinux*' ! -name 'vmlinux.unstripped' -print | sort >keep
${deterministicTar({ dir: ".", epoch })} --no-recursion --files-from=keep -cf - | zstd -q -3 -T0 -o outputs/tree
`;
}

/** Inputs: tree, initramfs (uncompressed cpio) where one is embedded. Output: image. */
export function relinkScript({
  toolchain,
  embeds,
}: {
  readonly toolchain: Toolchain;
  readonly embeds: boolean;
}): string {
  return `${prepare(toolchain)}${UNPACK_TREE}grep -q '^CONFIG_EFI_STUB=y' out/.config || fail "firmware cannot start this kernel: its config lacks CONFIG_EFI_STUB=y"
${
  embeds
    ? `grep -q '^CONFIG_BLK_DEV_INITRD=y' out/.config || fail "this kernel takes no initramfs: its config lacks CONFIG_BLK_DEV_INITRD=y"
cp inputs/initramfs out/${EMBEDDED}`
    : ""
}
${compile(toolchain)}
compile ${toolchain.target}
cp out/${toolchain.imagePath} outputs/image
`;
}

/** The last line of a symbol counts. The escapes are Kconfig's (scripts/kconfig/confdata.c). */
const builtInCmdline = (cmdline: string): string => {
  const value = cmdline.replaceAll(/["\\]/g, "\\$&");
  const lines = ["CONFIG_CMDLINE_BOOL=y", `CONFIG_CMDLINE="${value}"`];
  return `printf '%s\\n' ${lines.map(quote).join(" ")} >>out/.config\nkmake olddefconfig >&2\n`;
};

export interface ModuleScriptOptions {
  readonly toolchain: Toolchain;
  readonly names: readonly { readonly name: string; readonly subdir: string }[];
  readonly moduleCompression: "none" | "zstd" | "xz";
  readonly epoch: number;
}

/** Inputs: tree, modules (tar), source-N. Output: modules (tar) with those of the sources under updates/. */
export function moduleScript({ toolchain, names, moduleCompression, epoch }: ModuleScriptOptions): string {
  const one = ({ name, subdir }: { name: string; subdir: string }, i: number) => `
mkdir -p extra/${i}
tar -xf inputs/source-${i} -C extra/${i}
dir=extra/${i}/${quote(subdir)}
if [ ! -f "$dir/Kbuild" ] && [ ! -f "$dir/Makefile" ]; then for one in extra/${i}/*/${quote(subdir)}; do dir=$one; done; fi
[ -f "$dir/Kbuild" ] || [ -f "$dir/Makefile" ] || fail ${quote(`${name} holds neither Kbuild nor Makefile`)}
dir=$(realpath "$dir")
compile M="$dir" modules
kmake -s M="$dir" INSTALL_MOD_DIR=updates INSTALL_MOD_PATH=$PWD/modules INSTALL_MOD_STRIP=1 DEPMOD=true modules_install >&2
`;
  return `${prepare(toolchain)}${UNPACK_TREE}mkdir -p modules
tar -xf inputs/modules -C modules
${compile(toolchain)}
${names.map(one).join("")}
rm -f modules/lib/modules/*/build modules/lib/modules/*/source
${compressModules(moduleCompression)}
depmod -b modules "$(kmake -s kernelrelease)"
${deterministicTar({ dir: "modules", epoch })} -cf outputs/modules .
`;
}

/**
 * Directories without files are not in the tree, but kbuild looks through some of them for what it did (`a/../b/.c.cmd`).
 * All files get one time, newer than the toolroot's, so that make finds nothing to do but what is put into it afterwards: the
 * programs of the build depend on headers below /usr/include.
 */
const UNPACK_TREE = `step unpacking
tar -xf inputs/tree
(cd ${WORK}/src && find . -type d -print0) | (cd out && xargs -0 mkdir -p)
touch unpacked
find out ${WORK}/src -type f -print0 | xargs -0 touch --reference=unpacked
sleep 0.1
`;

/** The initramfs lies at a fixed place of the object directory, so that another one is a change of that file alone. */
export const EMBEDDED = "embedded.cpio";

/** What the kernel embeds when it is told nothing (usr/default_cpio_list): enough for /init to have a console. */
const emptyInitramfs = ({
  hostCompiler,
}: Toolchain): string => `printf 'dir /dev 0755 0 0\\nnod /dev/console 0600 0 0 c 5 1\\ndir /root 0700 0 0\\n' >empty.list
mkdir -p host
${hostCompiler} -O1 -o host/gen_init_cpio ${WORK}/src/usr/gen_init_cpio.c
host/gen_init_cpio -t "$SOURCE_DATE_EPOCH" empty.list >out/${EMBEDDED}`;

/**
 * \`compile TARGET…\`: make on all processors. When it fails, the first target that failed is made once more, alone and with
 * its command, so that the end of the output is the command and what it said.
 */
const compile = (toolchain: Toolchain): string => `
kmake() { make -C ${WORK}/src O=$PWD/out --no-print-directory ${toolchain.make.join(" ")} "$@"; }
compile() {
  step compiling
  kmake -j"$(nproc)" "$@" 2>&1 | tee log >&2 && return
  object=$(sed -nE 's/^make.*\\*\\*\\* \\[[^]]* ([^] ]+\\.[os])\\] Error.*/\\1/p' log | head -n1)
  [ -n "$object" ] && { step "once more, with its command: $object"; kmake V=1 "$object" >again 2>&1 || grep -v '^make' again | tail -n 30 | cut -c1-1500 >&2; }
  exit 1
}
`;

/**
 * How many files there will be to compile: as many as the last build of such a config had, in proportion to the options that
 * are on. A dry run of kbuild would know, and takes minutes. Only told to who watches; no output depends on it.
 */
const ESTIMATE = `on=$(grep -cE '=[ym]$' out/.config || :)
if [ -f caches/ccache/objects ]; then read -r objects options <caches/ccache/objects; else objects=17 options=10; fi
step "objects $((objects * on / options))"`;

const REMEMBER = `[ ! -d caches/ccache ] || echo "$(find out -name '*.o' ! -name '*.mod.o' ! -name 'built-in.o' ! -path 'out/scripts/*' ! -path 'out/tools/*' | wc -l) $on" >caches/ccache/objects`;

const compressModules = (kind: "none" | "zstd" | "xz"): string =>
  ({
    none: ":",
    zstd: `find modules -name '*.ko' -print0 | xargs -0r -n16 -P"$(nproc)" zstd -q --rm -19 -T1`,
    // The kernel's own decoder knows CRC32 alone (Documentation/staging/xz.rst).
    xz: `find modules -name '*.ko' -print0 | xargs -0r -n16 -P"$(nproc)" xz --threads=1 --check=crc32 --lzma2=dict=1MiB`,
  })[kind];

/** One time for all files also means to make that nothing is older than what it is made of. */
const deterministicTar = ({ dir, epoch }: { dir: string; epoch: number }): string =>
  `tar -C ${dir} --sort=name --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime --mtime=@${epoch} --owner=0 --group=0 --numeric-owner --mode=u+rw,go-w`;

/**
 * Of source and objects, what a link needs and what modules are built against: whatever kbuild reads to decide, headers, and
 * the sources that objects were made of, as their .cmd files say. The rest of the C files is most of a source's size.
 */
const pruneTree = ({ srcArch }: Toolchain): string => `
find work/src \\( -path work/src/Documentation -o -path work/src/tools -o -path work/src/samples -o -path work/src/LICENSES -o -path 'work/src/arch/*' -o -path 'work/src/drivers/*/testing' \\) -prune -o -type f ! -name '*.[chS]' ! -name '*.rst' -print >keep.1
for path in work/src/scripts work/src/include work/src/usr work/src/arch/${srcArch}/include work/src/tools/build work/src/tools/include work/src/tools/lib work/src/tools/objtool work/src/tools/scripts work/src/tools/arch/${srcArch}; do
  [ -d "$path" ] && find "$path" \\( -type f -o -type l \\) -print
done >>keep.1
find work/src/arch/${srcArch} -type f ! -name '*.[ch]' ! -name '*.dts*' -print >>keep.1
find work/src/arch -maxdepth 2 -type f -print >>keep.1
find work/src -type f \\( -name '*Kconfig*' -o -name 'Makefile*' -o -name 'Kbuild*' \\) -print >>keep.1
find out -name '.*.cmd' -type f -exec grep -ohE '/build/work/src/[^ ):"]+' {} + | sort -u | xargs -r realpath -qe --relative-base=/build >>keep.1 || :
find out \\( -type f -o -type l \\) ! -name '*.ko' ! -name '*.mod.c' ! -name '*.mod.o' ! -name '.tmp_vmlinux*' ! -name 'vmlinux.unstripped' -print >>keep.1
sort -u keep.1 >keep
`;

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
