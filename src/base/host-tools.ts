/**
 * What may be needed from the host: programs and files, what each is for, and the Debian package that brings it. Checked
 * before anything starts, so that all that is missing is said at once.
 */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import path from "node:path";
import { BootwrightError } from "./errors.ts";
import { hostPath } from "./process.ts";

export interface HostTool {
  readonly find: { readonly program: string } | { readonly anyFile: readonly string[] };
  /** Completes "needed to …". */
  readonly why: string;
  /** Of Debian and Ubuntu. */
  readonly package: string;
  readonly for: HostUse;
}

/** Each includes what comes before it. `test`: the project's own tests, with independent readers of what we write. */
export type HostUse = "build" | "boot" | "test";

const USES: readonly HostUse[] = ["build", "boot", "test"];

const program = (name: string, debian: string, why: string, use: HostUse = "build"): HostTool => ({
  find: { program: name },
  package: debian,
  why,
  for: use,
});

/** The variable store has the code's name with VARS for CODE; the first pair that is complete is used. */
export const OVMF_CODE_FILES = [
  "/usr/share/OVMF/OVMF_CODE_4M.fd",
  "/usr/share/OVMF/OVMF_CODE.fd",
  "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
  "/usr/share/edk2/ovmf/OVMF_CODE.fd",
  "/usr/share/qemu/ovmf-x86_64-code.bin",
] as const;

export const HOST_TOOLS = {
  "qemu-system-x86_64": program("qemu-system-x86_64", "qemu-system-x86", "boot x86_64 machines", "boot"),
  ovmf: {
    find: { anyFile: OVMF_CODE_FILES },
    package: "ovmf",
    why: "boot machines by UEFI, as hardware does",
    for: "boot",
  },
  bwrap: program("bwrap", "bubblewrap", "run build programs in a sandbox without network or root"),
  gpgv: program("gpgv", "gpgv", "verify the signature of a distribution's package index"),
  "debian-archive-keyring": {
    find: {
      anyFile: [
        "/usr/share/keyrings/debian-archive-keyring.gpg",
        "/usr/share/keyrings/debian-archive-keyring.pgp",
        "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
      ],
    },
    package: "debian-archive-keyring",
    why: "know the keys that sign Debian's package index",
    for: "build",
  },
  git: program("git", "git", "fetch sources that are pinned to a git commit"),
  // Only for projects of that architecture, so `doctor` asks for them only before the tests, which have one.
  "qemu-system-aarch64": program("qemu-system-aarch64", "qemu-system-arm", "boot aarch64 machines", "test"),
  "qemu-efi-aarch64": {
    find: { anyFile: ["/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/edk2/aarch64/QEMU_CODE.fd"] },
    package: "qemu-efi-aarch64",
    why: "boot aarch64 machines by UEFI",
    for: "test",
  },
  cpio: program("cpio", "cpio", "read our initramfs with GNU cpio", "test"),
  objdump: program("objdump", "binutils", "read our EFI files with binutils", "test"),
  "fsck.fat": program("fsck.fat", "dosfstools", "check our FAT file systems", "test"),
  mdir: program("mdir", "mtools", "read our FAT file systems", "test"),
  fdisk: program("fdisk", "fdisk", "check our partition tables", "test"),
  "fsck.erofs": program("fsck.erofs", "erofs-utils", "check our EROFS file systems", "test"),
  "qemu-img": program("qemu-img", "qemu-utils", "check our disks in hypervisors' formats", "test"),
  mksquashfs: program("mksquashfs", "squashfs-tools", "make SquashFS images as others do", "test"),
  unsquashfs: program("unsquashfs", "squashfs-tools", "check our SquashFS images", "test"),
  xz: program("xz", "xz-utils", "read what we compressed with xz", "test"),
  lz4: program("lz4", "lz4", "read what we compressed with lz4", "test"),
  zstd: program("zstd", "zstd", "read what we compressed with zstd", "test"),
  tar: program("tar", "tar", "read and write archives with GNU tar", "test"),
  busybox: program("busybox", "busybox-static", "fill the root of sandboxed programs", "test"),
  gpg: program("gpg", "gnupg", "sign a package archive of our own", "test"),
  skopeo: program("skopeo", "skopeo", "read our container images as engines do", "test"),
  "docker-registry": program("docker-registry", "docker-registry", "push to a registry and pull from it", "test"),
  radosgw: program("radosgw", "radosgw", "keep objects in Ceph's store", "test"),
  "ceph-mon": program("ceph-mon", "ceph-mon", "keep objects in Ceph's store", "test"),
  "ceph-osd": program("ceph-osd", "ceph-osd", "keep objects in Ceph's store", "test"),
  "swift-proxy-server": program("swift-proxy-server", "swift-proxy", "keep objects in Swift's store", "test"),
  "swift-account-server": program("swift-account-server", "swift-account", "keep objects in Swift's store", "test"),
  "swift-container-server": program(
    "swift-container-server",
    "swift-container",
    "keep objects in Swift's store",
    "test",
  ),
  "swift-object-server": program("swift-object-server", "swift-object", "keep objects in Swift's store", "test"),
  umoci: program("umoci", "umoci", "write container images, and unpack ours", "test"),
  sbsign: program("sbsign", "sbsigntool", "sign and verify EFI programs as others do", "test"),
  "sign-efi-sig-list": program("sign-efi-sig-list", "efitools", "make Secure Boot variables as others do", "test"),
  modinfo: program("modinfo", "kmod", "read the signatures of our kernel modules", "test"),
  openssl: program("openssl", "openssl", "check our certificates and signatures", "test"),
  libp11: {
    find: {
      anyFile: [
        "/usr/lib/x86_64-linux-gnu/engines-3/pkcs11.so",
        "/usr/lib/aarch64-linux-gnu/engines-3/pkcs11.so",
        "/usr/lib64/engines-3/pkcs11.so",
      ],
    },
    package: "libengine-pkcs11-openssl",
    why: "sign with keys in tokens (PKCS #11)",
    for: "test",
  },
  "softhsm2-util": program("softhsm2-util", "softhsm2", "keep keys in a token made of software", "test"),
  "pkcs11-tool": program("pkcs11-tool", "opensc", "make keys in a token", "test"),
  veritysetup: program("veritysetup", "cryptsetup-bin", "check our dm-verity hash trees", "test"),
  gcc: program("gcc", "build-essential", "compile a program to strip", "test"),
  bc: program("bc", "bc", "build a kernel by this host's own tools", "test"),
  bison: program("bison", "bison", "build a kernel by this host's own tools", "test"),
  flex: program("flex", "flex", "build a kernel by this host's own tools", "test"),
  minisign: program("minisign", "minisign", "sign and verify catalogs as others do", "test"),
  mmdebstrap: program("mmdebstrap", "mmdebstrap", "make a Debian root to hold ours against", "test"),
  swtpm: program("swtpm", "swtpm", "give test machines a TPM", "test"),
  "systemd-measure": {
    find: { anyFile: ["/usr/lib/systemd/systemd-measure"] },
    package: "systemd",
    why: "predict and sign TPM measurements as others do",
    for: "test",
  },
  tpm2: program("tpm2", "tpm2-tools", "lend systemd-measure the libraries by which it reaches a TPM", "test"),
  "ssh-keygen": program("ssh-keygen", "openssh-client", "make a key for the machines that tests log into", "test"),
  ssh: program("ssh", "openssh-client", "log into the machines that tests start", "test"),
  "dpkg-deb": program("dpkg-deb", "dpkg", "read and write Debian packages", "test"),
} as const satisfies Record<string, HostTool>;

export type HostToolName = keyof typeof HOST_TOOLS;

export const hostToolNames = (use: HostUse): readonly HostToolName[] =>
  (Object.keys(HOST_TOOLS) as HostToolName[]).filter((name) => USES.indexOf(HOST_TOOLS[name].for) <= USES.indexOf(use));

/** The path of the program or file, or undefined. `directories` stands for PATH plus the sbin directories. */
export function findTool(
  name: HostToolName,
  directories: readonly string[] = hostPath().split(":"),
): string | undefined {
  const { find }: HostTool = HOST_TOOLS[name];
  if ("anyFile" in find) return find.anyFile.find((file) => existsSync(file));
  return findProgram(find.program, directories);
}

/** As `which`, with the sbin directories. */
export function findProgram(name: string, directories: readonly string[] = hostPath().split(":")): string | undefined {
  return directories.map((dir) => path.join(dir, name)).find(isExecutable);
}

/** Paths by name. Throws HOST_TOOL_MISSING that lists all that is missing, with the one command to run. */
export function requireTools<N extends HostToolName>(
  names: readonly N[],
  find: (name: HostToolName) => string | undefined = findTool,
): Readonly<Record<N, string>> {
  const found = new Map<N, string>();
  const missing: N[] = [];
  for (const name of names) {
    const file = find(name);
    if (file === undefined) missing.push(name);
    else found.set(name, file);
  }
  if (missing.length > 0) throw missingTools(missing);
  return Object.fromEntries(found) as Record<N, string>;
}

export function missingTools(names: readonly HostToolName[]): BootwrightError {
  const lines = names.map((name) => `${name} (package ${HOST_TOOLS[name].package}): needed to ${HOST_TOOLS[name].why}`);
  return new BootwrightError("HOST_TOOL_MISSING", `this host lacks ${names.join(", ")}`, {
    detail: lines.join("\n"),
    hint: `bootwright doctor --fix, or: ${installCommand(names)}`,
  });
}

export const packagesFor = (names: readonly HostToolName[]): readonly string[] =>
  [...new Set(names.map((name) => HOST_TOOLS[name].package))].sort();

/** The one command to run, on Debian and Ubuntu. */
export const installCommand = (names: readonly HostToolName[]): string =>
  `sudo apt-get install -y --no-install-recommends ${packagesFor(names).join(" ")}`;

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
